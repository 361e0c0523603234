/**
 * A token bucket: `perSecond` tokens a second, holding at most a second's worth (and at least one), full at the start.
 * So a bound of 10 a second lets ten through in a burst and ten a second after that, and 0.5 lets one through every two.
 */
export type Bucket = { tokens: number; at: number };

export const fullBucket = (perSecond: number, now: number): Bucket => ({ tokens: burst(perSecond), at: now });

/** Tokens there at `now` (milliseconds); nothing is changed. */
export const tokensAt = (bucket: Bucket | undefined, perSecond: number, now: number): number => {
  if (bucket === undefined) return burst(perSecond);
  const gained = (Math.max(0, now - bucket.at) * perSecond) / 1000;
  return Math.min(burst(perSecond), bucket.tokens + gained);
};

/** Takes one token, or what is left of one: nothing is owed, so that who did not ask first is not shut out for long. */
export const take = (bucket: Bucket, perSecond: number, now: number): void => {
  bucket.tokens = Math.max(0, tokensAt(bucket, perSecond, now) - 1);
  bucket.at = now;
};

const burst = (perSecond: number): number => (perSecond <= 0 ? 0 : Math.max(1, perSecond));
