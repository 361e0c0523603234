/** What several runs of the same gave. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export const spreadOf = (values: readonly number[]): Spread => ({
  median: medianOf(values),
  min: Math.min(...values),
  max: Math.max(...values),
});

/** Of one figure of several runs. */
export const spreadIn = <Run>(runs: readonly Run[], figure: (run: Run) => number): Spread => spreadOf(runs.map(figure));

/** Of a figure as a multiple of what it was in `to`, run by run: those of the same round are neighbours in time. */
export const ratioIn = <Run>(runs: readonly Run[], to: readonly Run[], figure: (run: Run) => number): Spread =>
  spreadOf(runs.map((run, index) => figure(run) / figure(to[index]!)));

/** Measures each of the ways once in every round, so that a busy machine slows all of them. Answers the runs of each. */
export const inTurn = async <Way, Run>(
  ways: readonly Way[],
  rounds: number,
  measure: (way: Way) => Promise<Run>,
): Promise<readonly (readonly Run[])[]> => {
  const runs: Run[][] = ways.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, way] of ways.entries()) runs[index]!.push(await measure(way));
  }
  return runs;
};

/** Of an even number of values, the mean of the middle two. */
export const medianOf = (values: readonly number[]): number => {
  const sorted = values.toSorted((one, other) => one - other);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2;
};

/** NaN of no values. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const meanOf = (values: readonly number[]): number => sum(values) / values.length;

/** How much `y` grows with each `x`: least squares. 0 of fewer than two points. */
export const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number => {
  if (points.length < 2) return 0;
  const [meanX, meanY] = [meanOf(points.map(([x]) => x)), meanOf(points.map(([, y]) => y))];
  const spread = sum(points.map(([x]) => (x - meanX) ** 2));
  return spread === 0 ? 0 : sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spread;
};

/** `1.23 (1.10–1.31)`. */
export const showSpread = ({ median, min, max }: Spread, digits: number, unit = ''): string =>
  `${median.toFixed(digits)}${unit} (${min.toFixed(digits)}–${max.toFixed(digits)})`;

export const percent = (ratio: number, digits = 1): string => `${(100 * ratio).toFixed(digits)} %`;
