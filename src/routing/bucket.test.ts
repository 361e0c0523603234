import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { OwnBucket } from './bucket.ts';

const rates = fc.oneof(fc.double({ min: 0.01, max: 2_000, noNaN: true }), fc.integer({ min: 1, max: 500 }));

it('never lets through more than a burst and the rate since, over any stretch of time', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.double({ min: 0, max: 3_000, noNaN: true }), { maxLength: 200 }), (rate, pauses) => {
      const bucket = new OwnBucket();
      const taken: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        if (bucket.take(rate, now)) taken.push(now);
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
      const bucket = new OwnBucket();
      let through = 0;
      for (let now = 0; now <= 20_000; now += 0.5) {
        while (bucket.take(rate, now)) through += 1;
      }
      expect(through).toBeGreaterThan(rate * 20 * 0.95 - 1);
    }),
    { numRuns: 20 },
  );
});

it('is full at the start: a second’s worth, at least one, and nothing at rate 0', () => {
  expect(new OwnBucket().tokens(10, 5)).toBe(10);
  expect(new OwnBucket().tokens(0.25, 5)).toBe(1);
  expect(new OwnBucket().tokens(0, 5)).toBe(0);
});

it('owes nothing: who asks in vain takes nothing of what is left', () => {
  const bucket = new OwnBucket();
  for (let call = 0; call < 1_000; call += 1) expect(bucket.take(10, 0)).toBe(call < 10);
  expect(bucket.tokens(10, 100)).toBeCloseTo(1);
});

it('does not fill when time runs backwards, and goes on from there', () => {
  const bucket = new OwnBucket();
  bucket.take(1, 10_000);
  expect(bucket.tokens(1, 0)).toBe(0);
});

it('keeps to a new rate at once, whichever way it changed', () => {
  const bucket = new OwnBucket();
  expect(bucket.tokens(2, 0)).toBe(2);
  bucket.take(2, 0);
  expect(bucket.tokens(1_000, 100)).toBeCloseTo(101);
});
