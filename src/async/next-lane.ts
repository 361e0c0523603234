export type LaneView = {
  readonly lane: string;
  readonly running: number;
  /** How many may run at once. */
  readonly limit: number;
  /** Nothing is taken before; on the same clock as `nowMs`. */
  readonly pausedUntilMs: number;
  /** Which turn it had last; 0 when it had none. */
  readonly turn: number;
};

/** The lane that takes next: of those with room, whoever has waited longest for a turn. Undefined when none may. */
export const nextLane = (lanes: Iterable<LaneView>, nowMs: number): string | undefined => {
  let next: LaneView | undefined;
  for (const view of lanes) {
    if (view.running >= view.limit || view.pausedUntilMs > nowMs) continue;
    if (next === undefined || view.turn < next.turn) next = view;
  }
  return next?.lane;
};

/** `skein.async.concurrency`: how many asynchronous calls of the function one node makes at once. */
export const concurrencyLabel = 'skein.async.concurrency';

export const concurrencyOf = (labels: Readonly<Record<string, string>> | undefined, fallback: number): number => {
  const value = labels?.[concurrencyLabel];
  return value !== undefined && /^[1-9]\d{0,3}$/.test(value) ? Number(value) : fallback;
};
