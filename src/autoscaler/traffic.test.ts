import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seeded } from '../std/random.ts';
import { panicMs, stableMs } from './replicas.ts';
import { changesOf, lookMs, ramp, sawtooth, simulate, spike, step, usual, type Traffic } from './traffic.testing.ts';

const minute = 60_000;

const shapes: Readonly<Record<string, Traffic>> = {
  step: step(30_000, 5, 120),
  'step down': step(minute, 150, 12),
  ramp: ramp(5 * minute, 180),
  spike: spike(minute, 2_000, 8, 190),
  sawtooth: sawtooth(90_000, 140),
  idle: () => 0,
};

const wavering = (level: number, share: number, seed: number): Traffic => {
  const random = seeded(seed);
  return () => level * (1 + share * (2 * random() - 1));
};

describe.each(Object.entries(shapes))('with traffic of the shape "%s"', (_, traffic) => {
  const bounds = { ...usual, min: 2, max: 9, zero: false, first: 2 };

  test('replicas are never fewer than the minimum nor more than the maximum', () => {
    for (const { wanted } of simulate(traffic, 10 * minute, bounds)) {
      expect(wanted).toBeGreaterThanOrEqual(2);
      expect(wanted).toBeLessThanOrEqual(9);
    }
  });

  test('calls that a bounded replica cannot take get theirs at once', () => {
    for (const { calls, wanted } of simulate(traffic, 10 * minute, { ...usual, bound: 10 })) {
      expect(wanted).toBeGreaterThanOrEqual(Math.min(20, Math.ceil(calls / 10)));
    }
  });

  test('there is a replica while there are calls, and none only after the idle time', () => {
    let calledAt = -Infinity;
    for (const { at, calls, wanted } of simulate(traffic, 10 * minute)) {
      if (calls > 0) calledAt = at;
      if (at - calledAt < usual.idleMs) expect(wanted).toBeGreaterThan(0);
      else expect(wanted).toBe(0);
    }
  });
});

describe('the replicas of a function', () => {
  test.each([
    ['the panic window after a step to three times the load or more', panicMs, 3, 8],
    ['the stable window after any step', stableMs, 1, 3],
  ])('are enough within %s', (_, withinMs, from, to) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 25 }), fc.double({ min: from, max: to, noNaN: true }), (before, times) => {
        const at = 2 * minute;
        const samples = simulate(step(at, before, before * times), at + withinMs, usual);
        expect(samples.at(-1)?.wanted).toBeGreaterThanOrEqual(Math.ceil((samples.at(-1)?.calls ?? 0) / 10));
      }),
      // The stable window has added one before the other has seen the whole of the step.
      { numRuns: 40, examples: [[10, Math.max(from, 3)]] },
    );
  });

  test('follow a ramp, at most one behind', () => {
    for (const { calls, wanted } of simulate(ramp(10 * minute, 150), 12 * minute)) {
      expect(wanted).toBeGreaterThanOrEqual(Math.ceil(calls / 10) - 1);
    }
  });

  test('do not flap under a constant load with noise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 190 }), fc.integer(), (level, seed) => {
        const samples = simulate(wavering(level, 0.4, seed), 20 * minute, { ...usual, max: 100 });
        expect(changesOf(samples, 3 * minute)).toBeLessThanOrEqual(2);
      }),
      // Just below what one replica carries.
      { numRuns: 40, examples: [[9, 0]] },
    );
  });

  test('come at most once in a stable window under noise, where a call that waits must have one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.integer(), (level, seed) => {
        const samples = simulate(wavering(level, 0.3, seed), 20 * minute, { ...usual, bound: 10, max: 100 });
        expect(changesOf(samples, 3 * minute)).toBeLessThanOrEqual(2 * 17);
      }),
      { numRuns: 40 },
    );
  });

  test('stay through a sawtooth whose teeth are nearer than the window', () => {
    const samples = simulate(sawtooth(30_000, 100), 15 * minute);
    expect(changesOf(samples, 3 * minute)).toBeLessThanOrEqual(2);
  });

  test('stay for a stable window after a spike, then go', () => {
    const samples = simulate(spike(minute, 8_000, 5, 150), 6 * minute, { ...usual, first: 1 });
    const most = Math.max(...samples.map(({ wanted }) => wanted));
    const end = minute + 8_000;
    expect(most).toBeGreaterThanOrEqual(15);
    expect(changesOf(samples, end, end + stableMs - lookMs)).toBe(0);
    expect(samples.at(-1)?.wanted).toBe(1);
  });

  test('are none at the very look at which the idle time has passed', () => {
    const end = 3 * minute;
    const samples = simulate(step(end, 20, 0), end + usual.idleMs + 1_000);
    const gone = samples.find(({ at, wanted }) => at >= end && wanted === 0);
    expect(gone?.at).toBe(end - lookMs + usual.idleMs);
  });

  test('of a cold function are started once for each that a burst needs', () => {
    const burst = step(minute, 0, 50);
    for (const startMs of [50, 2_000, 9_000]) {
      const samples = simulate(burst, minute + 30_000, { ...usual, startMs });
      expect(new Set(samples.filter(({ at }) => at >= minute).map(({ wanted }) => wanted))).toEqual(new Set([5]));
    }
  });

  test('are added one at a time, and as far as needed, where none has to be there', () => {
    const samples = simulate(step(0, 0, 40), 2 * minute, { ...usual, target: 4, burst: 0, gradual: true, first: 1 });
    for (const [index, { wanted }] of samples.entries()) {
      expect(wanted - (samples[index - 1]?.wanted ?? wanted)).toBeLessThanOrEqual(1);
    }
    expect(samples.at(-1)?.wanted).toBe(10);
  });
});
