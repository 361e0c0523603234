/** When requests are due: evenly apart, the first at once. Milliseconds from the start. */
export type Arrivals = {
  /** How many there are in all. */
  readonly count: number;
  /** When the request `index` (from 0) is due. */
  at(index: number): number;
  /** How many are due within the first `elapsedMs`, the one due at that very moment included. */
  dueBy(elapsedMs: number): number;
};

/** Slack for the rounding of products such as 0.1 × 3. */
const epsilon = 1e-9;

/** `perSecond` requests a second (more than 0, may be fractional) that are due before `durationMs` is over. */
export const evenArrivals = (perSecond: number, durationMs: number): Arrivals => {
  const count = Math.max(0, Math.ceil((perSecond * durationMs) / 1000 - epsilon));
  return {
    count,
    at: (index) => (index * 1000) / perSecond,
    dueBy: (elapsedMs) => {
      if (elapsedMs < 0) return 0;
      return Math.min(count, Math.floor((elapsedMs * perSecond) / 1000 + epsilon) + 1);
    },
  };
};
