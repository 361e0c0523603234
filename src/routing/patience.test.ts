import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calm, maxQueued, mayWait, observeQueue, type QueueFacts } from './patience.ts';

const facts = (length: number, changes: Partial<QueueFacts> = {}): QueueFacts => ({
  length,
  serviceMs: 50,
  width: 28,
  queueMs: 2_000,
  warming: false,
  ...changes,
});

/** What `lengths` does to a queue, looked at every 10 ms. */
const watched = (lengths: (now: number) => number, forMs: number, changes: Partial<QueueFacts> = {}) => {
  const patience = calm();
  for (let now = 0; now <= forMs; now += 10) observeQueue(patience, facts(lengths(now), changes), now);
  return patience;
};

describe('a queue', () => {
  it('that will be empty in a few seconds is not overloaded', () => {
    expect(watched((now) => Math.max(0, 2_500 - now), 6_000).overloaded).toBe(false);
  });

  it('that shrinks, but would take long to empty, is overloaded', () => {
    expect(watched((now) => 500 - Math.floor(now / 200), 2_000).overloaded).toBe(true);
  });

  it('that empties within an interval is not overloaded, whatever bursts come', () => {
    const bursts = fc.array(fc.tuple(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 9 })), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(bursts, (all) => {
        const patience = calm();
        let now = 0;
        for (const [length, steps] of all) {
          for (let step = 0; step < steps; step += 1) observeQueue(patience, facts(length), (now += 10));
          observeQueue(patience, facts(0), (now += 10));
        }
        expect(patience.overloaded).toBe(false);
      }),
    );
  });

  it.each([
    ['stands', () => 20],
    ['grows', (now: number) => 15 + Math.floor(now / 10)],
  ])('that %s is overloaded within two intervals', (_name, lengths) => {
    const interval = 200;
    expect(watched(lengths, interval - 10).overloaded).toBe(false);
    expect(watched(lengths, 2 * interval).overloaded).toBe(true);
  });

  it('of slow calls is given two of their times before it is judged', () => {
    expect(watched(() => 20, 990, { serviceMs: 500 }).overloaded).toBe(false);
    expect(watched(() => 20, 2_000, { serviceMs: 500 }).overloaded).toBe(true);
  });

  it('that stays shorter than half a service time of work is never overloaded', () => {
    expect(watched(() => 14, 60_000).overloaded).toBe(false);
    expect(watched(() => 15, 60_000).overloaded).toBe(true);
  });

  it('is not judged while replicas start', () => {
    expect(watched(() => 500, 5_000, { warming: true }).overloaded).toBe(false);
  });

  it('recovers when it has been empty for an interval, and not before', () => {
    const patience = watched(() => 20, 500);
    observeQueue(patience, facts(0), 510);
    observeQueue(patience, facts(0), 700);
    expect(patience.overloaded).toBe(true);
    observeQueue(patience, facts(0), 710);
    expect(patience.overloaded).toBe(false);
  });

  it('that is seldom looked at is not overloaded for that', () => {
    const patience = calm();
    observeQueue(patience, facts(5), 0);
    observeQueue(patience, facts(0), 10);
    observeQueue(patience, facts(5), 60_000);
    expect(patience.overloaded).toBe(false);
  });
});

describe('one more', () => {
  it('may wait in a calm queue up to the bound', () => {
    expect(mayWait(calm(), facts(maxQueued - 1))).toBe(true);
    expect(mayWait(calm(), facts(maxQueued))).toBe(false);
  });

  it('may not wait where the function allows no waiting', () => {
    expect(mayWait(calm(), facts(0, { queueMs: 0 }))).toBe(false);
  });

  it('waits in overload only as far as slots would stand idle without it, and never none', () => {
    const overloaded = { ...calm(), overloaded: true };
    expect(mayWait(overloaded, facts(6))).toBe(true);
    expect(mayWait(overloaded, facts(7))).toBe(false);
    expect(mayWait(overloaded, facts(0, { width: 1 }))).toBe(true);
    expect(mayWait(overloaded, facts(1, { width: 1 }))).toBe(false);
  });
});
