import { valueOf } from '../dataplanes/headers.ts';
import { maxDelayMs } from '../queues/queue.ts';
import type { Random } from '../std/random.ts';

/** When to try again, and when to give up: pure. */

export type RetryRules = {
  readonly maxAttempts: number;
  /** Given up once it is older than this, but never before its third attempt: it may have waited long for the first. Milliseconds. */
  readonly maxAgeMs: number;
  /** Pauses grow threefold, from the first to the longest; each is cut by chance to between half and all of it. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
};

/** Ten attempts, spread over 24 to 48 minutes. */
export const defaultRetryRules: RetryRules = {
  maxAttempts: 10,
  maxAgeMs: 3_600_000,
  firstPauseMs: 1_000,
  longestPauseMs: 900_000,
};

/** Why an attempt did not do. */
export type Refusal = {
  /** Part of a sentence: `the platform refused with 503 (full)`. */
  readonly why: string;
  /** What the other side asked for. */
  readonly retryAfterMs?: number;
  /** No further attempt can do better. */
  readonly final?: true;
};

export type Attempt = { readonly attempt: number; readonly ageMs: number };

export type Next =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'bury'; readonly why: string };

const growth = 3;
const leastAttempts = 3;

export const afterRefusal = (
  refusal: Refusal,
  { attempt, ageMs }: Attempt,
  rules: RetryRules,
  random: Random,
): Next => {
  if (refusal.final === true) return { kind: 'bury', why: sentence(refusal.why) };
  const attempts = attempt === 1 ? '1 attempt' : `${attempt} attempts`;
  if (attempt >= rules.maxAttempts)
    return { kind: 'bury', why: `given up after ${attempts}: ${sentence(refusal.why)}` };
  if (ageMs >= rules.maxAgeMs && attempt >= leastAttempts) {
    return { kind: 'bury', why: `given up as too old after ${attempts}: ${sentence(refusal.why)}` };
  }
  return { kind: 'retry', delayMs: Math.max(pauseMs(attempt, rules, random), refusal.retryAfterMs ?? 0) };
};

/** Undefined for an answer of the function's own, whatever its status: that is what the call was for. */
export const refusalOfCall = (status: number, headers: readonly string[]): Refusal | undefined => {
  const reason = valueOf(headers, 'x-skein-reason');
  if (reason === undefined) return undefined;
  return { why: `the platform refused with ${status} (${reason.slice(0, 64)})`, ...retryAfter(headers) };
};

const worthAnotherTry = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Undefined when the callback was taken. */
export const refusalOfCallback = (status: number, headers: readonly string[]): Refusal | undefined => {
  if (status >= 200 && status < 300) return undefined;
  const why = `the receiver answered ${status}`;
  if (worthAnotherTry.has(status)) return { why, ...retryAfter(headers) };
  return status >= 300 && status < 400
    ? { why: `${why}, and redirects are not followed`, final: true }
    : { why, final: true };
};

/** How long to leave a function alone whose calls were refused so many times in a row: others in its lane would fare no better. */
export const lanePauseMs = (refusals: number): number =>
  refusals === 0 ? 0 : Math.min(10_000, 100 * 2 ** (refusals - 1));

const pauseMs = (attempt: number, rules: RetryRules, random: Random): number =>
  Math.min(rules.longestPauseMs, rules.firstPauseMs * growth ** (attempt - 1)) * (0.5 + random() / 2);

const retryAfter = (headers: readonly string[]): { readonly retryAfterMs?: number } => {
  const text = valueOf(headers, 'retry-after') ?? '';
  return /^\d{1,6}$/.test(text) ? { retryAfterMs: Math.min(maxDelayMs, Number(text) * 1_000) } : {};
};

const sentence = (why: string): string => `${why}.`;
