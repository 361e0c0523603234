export type Bounds = {
  /** At least 1. */
  readonly min: number;
  /** At least `min`. */
  readonly max: number;
};

export type LimitFacts = {
  /** Run time as a multiple of what it is without contention: 1 = nothing is in anything's way. */
  readonly slowness: number;
  /** The limit was reached, and somebody wanted more. */
  readonly crowded: boolean;
};

/** Below this nothing seems to be contended, and a limit that is in the way grows by a quarter. */
export const calmBelow = 1.1;

/** Slower by less than this is noise, or the price of keeping a machine busy. */
const tolerance = 1.2;
/** Calls beyond what runs unhindered: √limit keeps a machine busy while calls come unevenly (balancing.md); half of it is enough. */
const headroom = 0.5;
/** However slow: at most halved, and of a step that is asked for half is taken. */
const steepest = 0.5;
const smoothing = 0.5;

/**
 * The gradient law: `limit ← clamp(baseline / run time) · limit + √limit` (balancing.md), of which the limits of Netflix's
 * concurrency-limits (Gradient2) and TCP Vegas (Brakmo and Peterson 1995) are relatives. On a machine whose k cores are shared
 * fairly it comes to rest where `limit · (1 − tolerance · k / limit) = headroom · √limit`: at 3 for 2 cores, 11 for 8.
 *
 * A limit that was not reached says nothing about what would be beyond it, so it never grows then. No step takes more than a
 * quarter away, and none adds more than a quarter or one.
 */
export const nextLimit = (limit: number, { slowness, crowded }: LimitFacts, bounds: Bounds): number => {
  const next =
    slowness <= calmBelow ? limit + Math.max(limit / 4, headroom * Math.sqrt(limit)) : damped(limit, slowness);
  return clamp(next > limit && !crowded ? limit : next, bounds);
};

const damped = (limit: number, slowness: number): number => {
  const gradient = Math.min(1, Math.max(steepest, tolerance / slowness));
  return limit + smoothing * (limit * gradient + headroom * Math.sqrt(limit) - limit);
};

export const clamp = (limit: number, { min, max }: Bounds): number => Math.min(max, Math.max(min, limit));
