import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { calmBelow, nextLimit, type Bounds } from './next-limit.ts';

const bounds: fc.Arbitrary<Bounds> = fc
  .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 2000 }))
  .map(([min, more]) => ({ min, max: min + more }));
const limit = fc.double({ min: 1, max: 2050, noNaN: true });
const slowness = fc.double({ min: 0.01, max: 1000, noNaN: true });
const wide: Bounds = { min: 1, max: 10_000 };

describe('the next limit', () => {
  test('stays within its bounds', () => {
    fc.assert(
      fc.property(limit, slowness, fc.boolean(), bounds, (from, slow, crowded, range) => {
        const next = nextLimit(from, { slowness: slow, crowded }, range);
        expect(next).toBeGreaterThanOrEqual(range.min);
        expect(next).toBeLessThanOrEqual(range.max);
      }),
    );
  });

  test('moves by a bounded step', () => {
    fc.assert(
      fc.property(limit, slowness, fc.boolean(), (from, slow, crowded) => {
        const next = nextLimit(from, { slowness: slow, crowded }, wide);
        expect(next).toBeGreaterThanOrEqual(from * 0.75);
        expect(next).toBeLessThanOrEqual(from + Math.max(from / 4, Math.sqrt(from)));
      }),
    );
  });

  test('never grows with slowness, and never shrinks with the limit that it comes from', () => {
    fc.assert(
      fc.property(limit, limit, slowness, slowness, fc.boolean(), (one, other, fast, slow, crowded) => {
        const [least, most] = [Math.min(one, other), Math.max(one, other)];
        const [swift, slack] = [Math.min(fast, slow), Math.max(fast, slow)];
        const at = (from: number, by: number): number => nextLimit(from, { slowness: by, crowded }, wide);
        expect(at(one, slack)).toBeLessThanOrEqual(at(one, swift));
        expect(at(least, slack)).toBeLessThanOrEqual(at(most, slack) + 1e-9);
      }),
    );
  });

  test('does not grow when the limit was not in the way', () => {
    fc.assert(
      fc.property(limit, slowness, (from, slow) => {
        expect(nextLimit(from, { slowness: slow, crowded: false }, wide)).toBeLessThanOrEqual(from);
      }),
    );
  });

  test('grows whenever it is in the way and nothing is slowed', () => {
    fc.assert(
      fc.property(limit, fc.double({ min: 0.01, max: calmBelow, noNaN: true }), (from, slow) => {
        expect(nextLimit(from, { slowness: slow, crowded: true }, wide)).toBeGreaterThan(from);
      }),
    );
  });

  test('comes to rest a little above what shared cores can do, from wherever it begins', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.integer({ min: 1, max: 5_000 }), (cores, start) => {
        let at = start;
        for (let step = 0; step < 100; step += 1) {
          at = nextLimit(at, { slowness: Math.max(1, at / cores), crowded: true }, wide);
        }
        expect(at).toBeGreaterThan(cores);
        expect(at).toBeLessThan(cores * 2);
      }),
    );
  });
});
