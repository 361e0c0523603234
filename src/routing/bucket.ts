/**
 * A token bucket: `perSecond` tokens a second, holding at most a second's worth (and at least one), full at the start.
 * So a bound of 10 a second lets ten through in a burst and ten a second after that, and 0.5 lets one through every two.
 * Times are milliseconds of one clock.
 */
export interface Bucket {
  /** Those that are there; nothing is changed. */
  tokens(perSecond: number, now: number): number;
  /** Takes one, where there is a whole one; says whether. */
  take(perSecond: number, now: number): boolean;
}

/** Tokens in a full one. */
export const burst = (perSecond: number): number => (perSecond <= 0 ? 0 : Math.max(1, perSecond));

/** Tokens in one that held `tokens` `sinceMs` ago. */
export const refilled = (tokens: number, sinceMs: number, perSecond: number): number =>
  Math.min(burst(perSecond), tokens + (Math.max(0, sinceMs) * perSecond) / 1000);

/** One that a single thread takes from. */
export class OwnBucket implements Bucket {
  /** Infinity: as many as it can hold. */
  level = Number.POSITIVE_INFINITY;
  at = 0;

  tokens(perSecond: number, now: number): number {
    return refilled(this.level, now - this.at, perSecond);
  }

  take(perSecond: number, now: number): boolean {
    const there = this.tokens(perSecond, now);
    if (there < 1) return false;
    this.level = there - 1;
    this.at = now;
    return true;
  }
}
