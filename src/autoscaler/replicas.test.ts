import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freshScale, scaleReplicas, stepMs, type ScaleFacts, type ScaleState } from './replicas.ts';

const facts = (changes: Partial<ScaleFacts>): ScaleFacts => ({
  now: 0,
  inFlight: 0,
  perReplica: 4,
  strict: true,
  min: 0,
  max: 16,
  idleMs: 1_000,
  ...changes,
});

const run = (state: ScaleState, steps: readonly Partial<ScaleFacts>[]): readonly number[] => {
  const wanted: number[] = [];
  for (const step of steps) {
    const next = scaleReplicas(state, wanted.at(-1) ?? 0, facts(step));
    state = next.state;
    wanted.push(next.wanted);
  }
  return wanted;
};

describe('replicas of a function', () => {
  test('grow at once with the calls', () => {
    expect(run(freshScale(0, 0), [{ inFlight: 1 }, { inFlight: 9 }, { inFlight: 64 }])).toEqual([1, 3, 16]);
  });

  test('fall to the highest need of the idle time, and then to none', () => {
    const steps = [
      { now: 0, inFlight: 16 },
      { now: 500, inFlight: 5 },
      { now: 999, inFlight: 0 },
      { now: 1_000, inFlight: 0 },
      { now: 1_499, inFlight: 0 },
      { now: 1_500, inFlight: 0 },
    ];
    expect(run(freshScale(0, 0), steps)).toEqual([4, 4, 4, 2, 2, 0]);
  });

  test('are added one at a time where calls need not wait for them', () => {
    const steps = [0, stepMs - 1, stepMs, 2 * stepMs].map((now) => ({ now, inFlight: 16, strict: false }));
    expect(run(freshScale(0, 0), steps)).toEqual([1, 1, 2, 3]);
  });

  test('stay at the minimum and below the maximum', () => {
    expect(run(freshScale(0, 0), [{ min: 2 }, { inFlight: 100, min: 2, max: 3 }])).toEqual([2, 3]);
  });

  test('are kept for ever with an idle time of 0', () => {
    expect(run(freshScale(1, 0), [{ now: 1e12, idleMs: 0 }])).toEqual([1]);
  });

  test('never fall short of what runs, whatever came before', () => {
    const step = fc.record({ after: fc.nat(2_000), inFlight: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let state = freshScale(0, 0);
        let now = 0;
        let wanted = 0;
        for (const { after, inFlight } of steps) {
          now += after;
          const next = scaleReplicas(state, wanted, facts({ now, inFlight, max: 1_000 }));
          state = next.state;
          wanted = next.wanted;
          expect(next.wanted).toBeGreaterThanOrEqual(Math.ceil(inFlight / 4));
          expect(state.peaks.length).toBeLessThanOrEqual(26);
        }
      }),
    );
  });
});
