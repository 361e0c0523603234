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

/** `inMs`: when the first pause of a lane with room ends; undefined when only something that ends or comes can change it. */
export type NextLane = { readonly lane: string } | { readonly lane: undefined; readonly inMs: number | undefined };

/** The lane that takes next: of those with room, whoever has waited longest for a turn. When none may, how long that stays so. */
export const nextLane = (lanes: Iterable<LaneView>, nowMs: number): NextLane => {
  let next: LaneView | undefined;
  let pauseEndsMs = Infinity;
  for (const view of lanes) {
    if (view.running >= view.limit) continue;
    if (view.pausedUntilMs > nowMs) pauseEndsMs = Math.min(pauseEndsMs, view.pausedUntilMs);
    else if (next === undefined || view.turn < next.turn) next = view;
  }
  if (next !== undefined) return { lane: next.lane };
  return { lane: undefined, inMs: pauseEndsMs === Infinity ? undefined : pauseEndsMs - nowMs };
};

/** `skein.async.concurrency`: how many asynchronous calls of the function one node makes at once. */
export const concurrencyLabel = 'skein.async.concurrency';

export const concurrencyOf = (labels: Readonly<Record<string, string>> | undefined, fallback: number): number => {
  const value = labels?.[concurrencyLabel];
  return value !== undefined && /^[1-9]\d{0,3}$/.test(value) ? Number(value) : fallback;
};
