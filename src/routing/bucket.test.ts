import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullBucket, take, tokensAt } from './bucket.ts';

const rates = fc.oneof(fc.double({ min: 0.01, max: 2_000, noNaN: true }), fc.integer({ min: 1, max: 500 }));

it('never lets through more than a burst and the rate since, over any stretch of time', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.double({ min: 0, max: 3_000, noNaN: true }), { maxLength: 200 }), (rate, pauses) => {
      const bucket = fullBucket(rate, 0);
      const taken: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        if (tokensAt(bucket, rate, now) < 1) continue;
        take(bucket, rate, now);
        taken.push(now);
      }
      for (let from = 0; from < taken.length; from += 1) {
        const seconds = ((taken.at(-1) as number) - (taken[from] as number)) / 1000;
        expect(taken.length - from).toBeLessThanOrEqual(Math.max(1, rate) + rate * seconds + 1e-6);
      }
    }),
  );
});

it('lets through what the rate allows when there is always one more to come', () => {
  fc.assert(
    fc.property(rates, (rate) => {
      const bucket = fullBucket(rate, 0);
      let through = 0;
      for (let now = 0; now <= 20_000; now += 0.5) {
        while (tokensAt(bucket, rate, now) >= 1) {
          take(bucket, rate, now);
          through += 1;
        }
      }
      expect(through).toBeGreaterThan(rate * 20 * 0.95 - 1);
    }),
    { numRuns: 20 },
  );
});

it('is full at the start: a second’s worth, at least one, and nothing at rate 0', () => {
  expect(tokensAt(undefined, 10, 5)).toBe(10);
  expect(tokensAt(undefined, 0.25, 5)).toBe(1);
  expect(tokensAt(undefined, 0, 5)).toBe(0);
});

it('owes nothing: who took without asking is not shut out for longer than one token takes', () => {
  const bucket = fullBucket(10, 0);
  for (let call = 0; call < 1_000; call += 1) take(bucket, 10, 0);
  expect(tokensAt(bucket, 10, 100)).toBeCloseTo(1);
});

it('does not fill when time runs backwards, and goes on from there', () => {
  const bucket = fullBucket(1, 10_000);
  take(bucket, 1, 10_000);
  expect(tokensAt(bucket, 1, 0)).toBe(0);
});

it('keeps to a new rate at once, whichever way it changed', () => {
  const bucket = fullBucket(100, 0);
  expect(tokensAt(bucket, 2, 0)).toBe(2);
  take(bucket, 2, 0);
  expect(tokensAt(bucket, 1_000, 100)).toBeCloseTo(101);
});
