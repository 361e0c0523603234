import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evenArrivals } from './arrivals.ts';

describe('even arrivals', () => {
  test('ten a second for a second are due at 0, 100, … 900 ms', () => {
    const arrivals = evenArrivals(10, 1000);
    const due = Array.from({ length: arrivals.count }, (_, index) => arrivals.at(index));
    expect(due).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  test.each([
    [300, 20_000, 6000],
    [0.5, 3000, 2],
    [0.5, 4000, 2],
    [2.5, 1000, 3],
    [0.1, 30_000, 3],
    [1, 1, 1],
    [1, 0, 0],
  ])('%d a second for %d ms are %d requests', (rate, durationMs, count) => {
    expect(evenArrivals(rate, durationMs).count).toBe(count);
  });

  test('counts what is due at a moment', () => {
    const arrivals = evenArrivals(10, 1000);
    expect([-1, 0, 99, 100, 550, 900, 5000].map((ms) => arrivals.dueBy(ms))).toEqual([0, 1, 1, 2, 6, 10, 10]);
  });

  test('each request counts as due from its own moment on, and not before', () => {
    const rate = fc.double({ min: 0.01, max: 20_000, noNaN: true });
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 600_000 }), fc.nat(), (perSecond, durationMs, pick) => {
        const arrivals = evenArrivals(perSecond, durationMs);
        const index = pick % arrivals.count;
        expect(arrivals.dueBy(arrivals.at(index))).toBe(index + 1);
        expect(arrivals.dueBy(arrivals.at(index) - 0.001)).toBeLessThanOrEqual(index);
        expect(arrivals.at(index)).toBeLessThan(durationMs + 0.001);
      }),
    );
  });
});
