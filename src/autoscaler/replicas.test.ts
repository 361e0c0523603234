import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freshScale, panicMs, scaleReplicas, stableMs, stepMs, type ScaleFacts, type ScaleState } from './replicas.ts';

const idleMs = 300_000;

const facts = (changes: Partial<ScaleFacts>): ScaleFacts => {
  const calls = changes.calls ?? 0;
  return {
    now: 0,
    calls,
    called: false,
    load: calls,
    target: 4,
    bound: 4,
    burst: 4,
    gradual: false,
    ready: 0,
    min: 0,
    max: 16,
    zero: true,
    idleMs,
    ...changes,
  };
};

/** The wanted numbers, step by step; what is wanted is ready at the next step unless it says otherwise. */
const run = (state: ScaleState, steps: readonly Partial<ScaleFacts>[], present = 0): readonly number[] => {
  const wanted: number[] = [];
  for (const step of steps) {
    const before = wanted.at(-1) ?? present;
    const next = scaleReplicas(state, before, facts({ ready: before, ...step }));
    state = next.state;
    wanted.push(next.wanted);
  }
  return wanted;
};

describe('replicas of a function', () => {
  test('grow at once with calls that could not begin otherwise', () => {
    expect(run(freshScale(0, 0), [{ calls: 1 }, { calls: 9 }, { calls: 64 }])).toEqual([1, 3, 16]);
  });

  test('are as many as a burst on a cold function needs, once, however long they take to start', () => {
    const cold = { target: 10, bound: 0, burst: 10, calls: 50, ready: 0, max: 100 };
    expect(run(freshScale(0, 0), [{ ...cold, calls: 1 }, cold, { ...cold, now: 50 }, { ...cold, now: 500 }])).toEqual([
      1, 5, 5, 5,
    ]);
    expect(
      run(freshScale(0, 0), [
        { ...cold, bound: 10 },
        { ...cold, bound: 10, now: 250, ready: 5 },
      ]),
    ).toEqual([5, 5]);
  });

  test('follow a load by its mean where calls need not wait', () => {
    const steps = [0, 1_000, 2_000, 4_000, 6_000].map((now) => ({ now, calls: 20, bound: 0 }));
    const [first, ...later] = run({ ...freshScale(1, -stableMs), peaks: [] }, steps, 1);
    expect(first).toBe(1);
    expect(later.at(-1)).toBe(5);
  });

  test('go to the highest need of the last minute, and not below what runs', () => {
    const steps = [
      { now: 0, calls: 16 },
      { now: stableMs / 2, calls: 0 },
      { now: stableMs - 1, calls: 3 },
      { now: 2 * stableMs + panicMs, calls: 3 },
      { now: 3 * stableMs + 2 * panicMs, calls: 3 },
    ];
    const wanted = run(freshScale(0, 0), steps);
    expect(wanted.slice(0, 3)).toEqual([4, 4, 4]);
    expect(wanted.at(-1)).toBe(1);
  });

  test('never go while a panic lasts, and a stable window after it', () => {
    const state = { ...freshScale(1, 0), panickedAt: 0 };
    expect(run(state, [{ now: stableMs - 1 }, { now: stableMs }], 7)).toEqual([7, 1]);
  });

  test('are none when nobody called for the idle time, and not a moment earlier', () => {
    const steps = [
      { now: 0, calls: 16 },
      { now: 1_000, calls: 1 },
      { now: 2_000, called: true },
      { now: 2_000 + idleMs - 1 },
      { now: 2_000 + idleMs },
    ];
    const wanted = run(freshScale(0, 0), steps);
    expect(wanted.at(-2)).toBeGreaterThan(0);
    expect(wanted.at(-1)).toBe(0);
  });

  test('are all gone after a short idle time, though they were needed in the last minute', () => {
    expect(
      run(freshScale(0, 0), [
        { calls: 16, idleMs: 500 },
        { now: 500, idleMs: 500 },
      ]),
    ).toEqual([4, 0]);
  });

  test('are not none while a call runs or waits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(3 * idleMs), (calls, now) => {
        expect(run(freshScale(1, 0), [{ now, calls, idleMs: 1 }])[0]).toBeGreaterThanOrEqual(Math.ceil(calls / 4));
      }),
    );
  });

  test('wake to the minimum where none may be left', () => {
    const steps = [{ min: 3 }, { now: 1, min: 3, calls: 1 }, { now: idleMs + 1, min: 3 }];
    expect(run(freshScale(0, 0), steps)).toEqual([0, 3, 0]);
    expect(run(freshScale(3, 0), [{ now: 1e12, min: 3, zero: false }], 3)).toEqual([3]);
  });

  test('are added one at a time where calls need not wait for them', () => {
    const steps = [0, stepMs - 1, stepMs, 2 * stepMs].map((now) => ({
      now,
      calls: 16,
      bound: 0,
      burst: 0,
      gradual: true,
    }));
    expect(run(freshScale(0, 0), steps)).toEqual([1, 1, 2, 3]);
  });

  test('stay at the minimum and below the maximum', () => {
    expect(run(freshScale(2, 0), [{ min: 2 }, { calls: 100, min: 2, max: 3 }])).toEqual([2, 3]);
  });

  test('keep one for ever with an idle time of 0', () => {
    expect(run(freshScale(1, 0), [{ now: 1e12, idleMs: 0 }], 1)).toEqual([1]);
  });

  test('never fall short of what runs, whatever came before', () => {
    const step = fc.record({ after: fc.nat(20_000), calls: fc.nat(100), ready: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let state = freshScale(0, 0);
        let now = 0;
        let wanted = 0;
        for (const { after, calls, ready } of steps) {
          now += after;
          const next = scaleReplicas(state, wanted, facts({ now, calls, ready, max: 20 }));
          state = next.state;
          wanted = next.wanted;
          expect(wanted).toBeGreaterThanOrEqual(Math.min(20, Math.ceil(calls / 4)));
          expect(wanted).toBeLessThanOrEqual(20);
          expect(state.peaks.length).toBeLessThanOrEqual(20);
          expect(state.load.parts.length).toBeLessThanOrEqual(62);
        }
      }),
    );
  });
});
