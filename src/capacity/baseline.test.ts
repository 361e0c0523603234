import { describe, expect, test } from 'vitest';
import { functionKey, type FunctionKey } from '../domain/ids.ts';
import { glance, lower, revise, sharedSlowness, type Baselines } from './baseline.ts';
import type { Sample } from './sample.ts';

const [a, b] = [functionKey('a'), functionKey('b')];

const sample = (functions: Readonly<Record<FunctionKey, readonly [ran: number, meanMs: number]>>): Sample => {
  const entries = Object.entries(functions) as [FunctionKey, readonly [number, number]][];
  return {
    ...{ ms: 1000, ran: 0, meanInFlight: 0, crowded: false, longestMs: 0 },
    functions: new Map(entries.map(([key, [ran, meanMs]]) => [key, { ran, ranMs: ran * meanMs, crowded: 0 }])),
  };
};
const known = (ms: Readonly<Record<FunctionKey, number>>): Baselines =>
  new Map(Object.entries(ms).map(([key, one]) => [key as FunctionKey, { ms: one, weight: 48 }]));

describe('the baseline of a function', () => {
  test('is a guess under load, and believed once it was measured while few calls ran', () => {
    const guessed = glance(new Map(), sample({ [a]: [50, 80] }));
    expect(guessed.get(a)).toEqual({ ms: 80, weight: 0 });
    expect(revise(guessed, sample({ [a]: [30, 20] })).get(a)).toEqual({ ms: 20, weight: 30 });
  });

  test('is not raised by what is seen under load, and lowered by what is faster beyond chance', () => {
    const before = known({ [a]: 50 });
    expect(glance(before, sample({ [a]: [500, 400] })).get(a)?.ms).toBe(50);
    expect(glance(before, sample({ [a]: [30, 40] })).get(a)?.ms).toBe(50);
    expect(glance(before, sample({ [a]: [400, 25] })).get(a)?.ms).toBe(25);
    expect(glance(before, sample({ [a]: [4, 1] })).get(a)?.ms).toBe(50);
  });

  test('is replaced where a function came to cost much more, and mended where it may be chance', () => {
    expect(revise(known({ [a]: 50 }), sample({ [a]: [30, 100] })).get(a)?.ms).toBe(100);
    const mended = revise(known({ [a]: 50 }), sample({ [a]: [30, 60] })).get(a)!.ms;
    expect(mended).toBeGreaterThan(50);
    expect(mended).toBeLessThan(60);
  });

  test('only falls where still fewer calls ran', () => {
    expect(lower(known({ [a]: 50 }), sample({ [a]: [30, 60] })).get(a)?.ms).toBe(50);
    expect(lower(known({ [a]: 50 }), sample({ [a]: [30, 40] })).get(a)?.ms).toBe(40);
  });
});

describe('what functions of a node share', () => {
  const baselines = known({ [a]: 10, [b]: 1_000 });

  test('is the slowness of the least slowed, each against its own baseline', () => {
    expect(sharedSlowness(sample({ [a]: [100, 20], [b]: [10, 2_000] }), baselines)).toBe(2);
    expect(sharedSlowness(sample({ [a]: [1_000, 50], [b]: [10, 1_000] }), baselines)).toBe(1);
  });

  test('is not told by one that does hardly any of the work', () => {
    expect(sharedSlowness(sample({ [a]: [8, 10], [b]: [100, 3_000] }), baselines)).toBe(3);
  });

  test('is told by rare functions together', () => {
    const rare = Array.from({ length: 20 }, (_, index) => functionKey(`rare-${index}`));
    const each = <Value>(value: Value) =>
      Object.fromEntries(rare.map((key) => [key, value])) as Record<FunctionKey, Value>;
    expect(sharedSlowness(sample(each([2, 30] as const)), known(each(10)))).toBe(3);
  });

  test('is unknown where nothing is known', () => {
    expect(sharedSlowness(sample({ [a]: [100, 20] }), new Map())).toBeUndefined();
  });
});
