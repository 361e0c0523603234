import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterRefusal, defaultRetryRules, lanePauseMs, refusalOfCall, refusalOfCallback } from './retry.ts';

const rules = defaultRetryRules;
const refusal = { why: 'the platform refused with 503 (full)' };

describe('afterRefusal', () => {
  it('pauses longer each time, by chance between half and all of it', () => {
    const pause = (attempt: number, chance: number): unknown =>
      afterRefusal(refusal, { attempt, ageMs: 0 }, rules, () => chance);
    expect(pause(1, 0)).toEqual({ kind: 'retry', delayMs: 500 });
    expect(pause(1, 0.999)).toMatchObject({ delayMs: expect.closeTo(999.5) as number });
    expect(pause(4, 0)).toEqual({ kind: 'retry', delayMs: 13_500 });
    expect(pause(9, 0)).toEqual({ kind: 'retry', delayMs: 450_000 });
  });

  it('ends: however unlucky, after the attempts that are allowed', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(100_000), (chance, slowMs) => {
        let [attempt, ageMs] = [1, 0];
        for (;;) {
          const next = afterRefusal(refusal, { attempt, ageMs }, rules, () => chance);
          if (next.kind === 'bury') break;
          expect(next.delayMs).toBeGreaterThanOrEqual(rules.firstPauseMs / 2);
          expect(next.delayMs).toBeLessThanOrEqual(rules.longestPauseMs);
          attempt++;
          ageMs += next.delayMs + slowMs;
        }
        expect(attempt).toBeGreaterThanOrEqual(3);
        expect(attempt).toBeLessThanOrEqual(rules.maxAttempts);
      }),
    );
  });

  it('gives up at once what no attempt can mend, and what is too old after its third', () => {
    expect(afterRefusal({ ...refusal, final: true }, { attempt: 1, ageMs: 0 }, rules, () => 0)).toEqual({
      kind: 'bury',
      why: 'the platform refused with 503 (full).',
    });
    const old = { ageMs: rules.maxAgeMs };
    expect(afterRefusal(refusal, { attempt: 2, ...old }, rules, () => 0).kind).toBe('retry');
    expect(afterRefusal(refusal, { attempt: 3, ...old }, rules, () => 0)).toEqual({
      kind: 'bury',
      why: 'given up as too old after 3 attempts: the platform refused with 503 (full).',
    });
  });

  it('waits as long as it was asked to', () => {
    const asked = { ...refusal, retryAfterMs: 77_000 };
    expect(afterRefusal(asked, { attempt: 1, ageMs: 0 }, rules, () => 0)).toEqual({ kind: 'retry', delayMs: 77_000 });
  });
});

describe('what counts as refused', () => {
  it('takes a function’s own answer as final, whatever its status', () => {
    for (const status of [200, 400, 404, 429, 500, 503])
      expect(refusalOfCall(status, ['Retry-After', '3'])).toBeUndefined();
  });

  it('knows the platform’s refusals by their reason', () => {
    expect(refusalOfCall(503, ['x-skein-reason', 'full', 'retry-after', '3'])).toEqual({
      ...refusal,
      retryAfterMs: 3_000,
    });
    expect(refusalOfCall(404, ['X-Skein-Reason', 'unknown-function'])?.why).toContain('404 (unknown-function)');
  });

  it('tells callbacks that may yet be taken from those that will not', () => {
    const kinds = Object.fromEntries(
      [200, 204, 302, 400, 404, 408, 410, 429, 500, 503].map((status) => {
        const told = refusalOfCallback(status, []);
        return [status, told === undefined ? 'taken' : told.final === true ? 'final' : 'again'];
      }),
    );
    expect(kinds).toEqual({
      200: 'taken',
      204: 'taken',
      302: 'final',
      400: 'final',
      404: 'final',
      408: 'again',
      410: 'final',
      429: 'again',
      500: 'again',
      503: 'again',
    });
  });

  it('leaves a function alone for longer the more it was refused, up to 10 s', () => {
    expect([0, 1, 2, 8, 100].map(lanePauseMs)).toEqual([0, 100, 200, 10_000, 10_000]);
  });
});
