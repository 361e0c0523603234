import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueBetween, nextDue } from './phase.ts';

describe('the phases of a period', () => {
  it.each([
    [0, 60_000, { limits: true, weights: true }],
    [1, 29_999, { limits: false, weights: false }],
    [1, 30_000, { limits: false, weights: true }],
    [30_000, 59_999, { limits: false, weights: false }],
    [59_999, 60_000, { limits: true, weights: false }],
    [60_000, 30_000, { limits: false, weights: false }],
  ])('from %d to %d ms, with 60 s to a period, %o is due', (since, now, due) => {
    expect(dueBetween(since, now, 60_000)).toEqual(due);
  });

  it('wakes within half a period, at a moment when a step is due', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.integer({ min: 1000, max: 600_000 }), (nowMs, periodMs) => {
        const at = nextDue(nowMs, periodMs);
        const due = dueBetween(nowMs, at, periodMs);
        expect(at).toBeGreaterThan(nowMs);
        expect(at - nowMs).toBeLessThanOrEqual(periodMs / 2);
        expect(due.limits).not.toBe(due.weights);
      }),
    );
  });

  it('does each step exactly once, however often one looks', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(900), { maxLength: 50 }), fc.integer({ min: 1000, max: 5000 }), (gaps, periodMs) => {
        let nowMs = 12_345;
        let limits = 0;
        for (const gap of gaps) {
          limits += dueBetween(nowMs, nowMs + gap, periodMs).limits ? 1 : 0;
          nowMs += gap;
        }
        expect(limits).toBe(Math.floor(nowMs / periodMs) - Math.floor(12_345 / periodMs));
      }),
    );
  });
});
