import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OwnBucket } from '../../../routing/bucket.ts';
import { OwnSuspicion } from '../../../routing/suspicion.ts';
import type { Contest, Outcome } from './contender.testing.ts';
import { SharedBucket } from './shared-bucket.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedOccupancy } from './shared-occupancy.ts';
import { SharedSuspicion } from './shared-suspicion.ts';

const bucketIn = (memory: SharedMemory, place = 0): SharedBucket =>
  new SharedBucket(memory.buckets, memory.bucketWord(place));

describe('threads that let calls in and out at once', () => {
  const contend = async (contest: Contest): Promise<Outcome> => {
    const worker = new Worker(new URL('./contender.testing.ts', import.meta.url), { workerData: contest });
    const [[outcome]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    return outcome as Outcome;
  };

  it.each([1, 2, 7])('never are more than %s, take each token once, and leave nothing', async (most) => {
    const threads = 3;
    const memory = SharedMemory.create(threads);
    const contest = { bytes: memory.bytes, threads, rounds: 150_000, most, perSecond: 20_000, now: 5_000 };
    const outcomes = await Promise.all([1, 2, 3].map((seed) => contend({ ...contest, seed })));
    expect(Math.max(...outcomes.map(({ mostSeen }) => mostSeen))).toBe(most);
    for (const { entered } of outcomes) expect(entered).toBeGreaterThan(0);
    expect(outcomes.reduce((sum, { taken }) => sum + taken, 0)).toBe(20_000);
    expect(new SharedOccupancy(memory.words, memory.callsWord(0)).count).toBe(0);
  });
});

describe('a bucket that is shared', () => {
  const rates = fc.oneof(fc.double({ min: 0.01, max: 5_000, noNaN: true }), fc.integer({ min: 1, max: 500 }));

  it('gives what one of a single thread gives, to the millisecond and a thousandth of a token', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rates, fc.integer({ min: 0, max: 3_000 })), { minLength: 1, maxLength: 100 }),
        (steps) => {
          const memory = SharedMemory.create(1);
          const [shared, own] = [bucketIn(memory), new OwnBucket()];
          let now = 0;
          for (const [index, [rate, pause]] of steps.entries()) {
            now += pause;
            const there = own.tokens(rate, now);
            expect(shared.tokens(rate, now)).toBeLessThanOrEqual(there + 1e-6);
            expect(shared.tokens(rate, now)).toBeGreaterThan(there - (index + 1) / 1_000);
            if (shared.take(rate, now)) expect(own.take(rate, now)).toBe(true);
            else if (there >= 1) return;
          }
        },
      ),
    );
  });

  it('is not filled by a thread whose clock is behind, nor does it forget what it is owed', () => {
    const bucket = bucketIn(SharedMemory.create(1), 3);
    expect([bucket.take(1, 1_000), bucket.take(1, 999), bucket.take(1, 1_999), bucket.take(1, 2_000)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});

describe('suspicion that is shared', () => {
  it('falls on a peer as that of a single thread does, a moment longer at most', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 40_000 })), { maxLength: 40 }), (steps) => {
        const memory = SharedMemory.create(1);
        const [shared, own] = [new SharedSuspicion(memory.words, memory.suspicionWord(2)), new OwnSuspicion()];
        let now = 1_000;
        for (const [answers, pause] of steps) {
          now += pause;
          // Between the ends of both pauses they may differ.
          if (now >= own.until && now < shared.until) now = shared.until;
          for (const of of [shared, own]) {
            if (answers) of.answered();
            else of.failed(now);
          }
          expect(shared.failures).toBe(own.failures);
          expect(shared.until).toBeGreaterThanOrEqual(own.until);
          expect(shared.until).toBeLessThan(own.until + 64);
        }
      }),
    );
  });
});
