import type { LogLine } from './needs.ts';

type Timed = Pick<LogLine, 'timestamp'> | undefined;

/** Times are ISO 8601 in UTC; one of finer resolution is later than its own beginning, which the shorter text spells. */
export const isBefore = (a: Timed, b: Timed): boolean =>
  timeOf(a) === timeOf(b) ? (a?.timestamp ?? '') < (b?.timestamp ?? '') : timeOf(a) < timeOf(b);

export const byTime = (a: Timed, b: Timed): number => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0);

/** Milliseconds since the epoch; 0 for what is no time. */
export const timeOf = (line: Timed): number => Date.parse(line?.timestamp ?? '') || 0;
