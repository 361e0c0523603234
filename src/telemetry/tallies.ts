/** The label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

type Value = {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
};

/** An instrument with its series, in the form of prom-client's `getMetricsAsJSON`. */
export type MetricJson = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly Value[];
  readonly aggregator: 'sum';
};

/**
 * How often something took how long: what a histogram shows of one series. Counting is a few additions, because it is done
 * several times a call; labels are joined to it only when somebody reads.
 */
export class TimeTally {
  count = 0;
  sum = 0;
  readonly #bounds: readonly number[];
  /** How many are within each bound and beyond the one before. */
  readonly #within: number[];

  /** `bounds`: of the buckets, seconds, growing. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#within = bounds.map(() => 0);
  }

  observe(seconds: number): void {
    const bounds = this.#bounds;
    this.count += 1;
    this.sum += seconds;
    for (let index = 0; index < bounds.length; index += 1) {
      if (seconds > (bounds[index] as number)) continue;
      this.#within[index] = (this.#within[index] as number) + 1;
      return;
    }
  }

  values(name: string, labels: Labels): Value[] {
    const metricName = `${name}_bucket`;
    let value = 0;
    const buckets = this.#bounds.map((le, index): Value => {
      value += this.#within[index] as number;
      return { labels: { le, ...labels }, value, metricName };
    });
    return [
      ...buckets,
      { labels: { le: '+Inf', ...labels }, value: this.count, metricName },
      { labels, value: this.sum, metricName: `${name}_sum` },
      { labels, value: this.count, metricName: `${name}_count` },
    ];
  }
}

/** Series of a histogram; those that counted nothing are not shown. */
export const histogram = (
  name: string,
  help: string,
  series: readonly (readonly [TimeTally, Labels])[],
): MetricJson => ({
  name,
  help,
  type: 'histogram',
  values: series.flatMap(([tally, labels]) => (tally.count > 0 ? tally.values(name, labels) : [])),
  aggregator: 'sum',
});

/** Series of a counter; those that counted nothing are not shown. */
export const counter = (name: string, help: string, series: readonly (readonly [number, Labels])[]): MetricJson => ({
  name,
  help,
  type: 'counter',
  values: series.flatMap(([value, labels]) => (value > 0 ? [{ labels, value }] : [])),
  aggregator: 'sum',
});

export const gauge = (name: string, help: string, value: number): MetricJson => ({
  name,
  help,
  type: 'gauge',
  values: [{ labels: {}, value }],
  aggregator: 'sum',
});
