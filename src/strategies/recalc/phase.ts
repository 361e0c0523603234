/**
 * The two steps of a period, aligned to the clock so that nodes take them together: limits where the time is a whole
 * number of periods, weights half a period later.
 */
export type Due = { readonly limits: boolean; readonly weights: boolean };

/** What came due after `sinceMs` and up to `nowMs`. A clock that was set back makes nothing due. */
export const dueBetween = (sinceMs: number, nowMs: number, periodMs: number): Due => ({
  limits: turn(nowMs, periodMs) > turn(sinceMs, periodMs),
  weights: turn(nowMs + periodMs / 2, periodMs) > turn(sinceMs + periodMs / 2, periodMs),
});

/** When the next step is due: always later than `nowMs`. */
export const nextDue = (nowMs: number, periodMs: number): number => (turn(nowMs, periodMs / 2) + 1) * (periodMs / 2);

const turn = (ms: number, periodMs: number): number => Math.floor(ms / periodMs);
