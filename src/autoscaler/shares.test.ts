import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sharesOf, type Home } from './shares.ts';

const home = (name: string, replicas = 0, least = 0, most = 8): Home => ({ name, replicas, least, most });

const homes = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 4 }),
    replicas: fc.nat(12),
    least: fc.nat(4),
    more: fc.nat(12),
  }),
  { selector: ({ name }) => name, maxLength: 8 },
);
const asHomes = (made: readonly (Omit<Home, 'most'> & { readonly more: number })[]): readonly Home[] =>
  made.map(({ more, ...one }) => ({ ...one, most: one.least + more }));
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

describe('replicas that are asked for together', () => {
  test.each([
    [4, [home('a'), home('b')], [2, 2]],
    [4, [home('a'), home('b'), home('c')], [2, 1, 1]],
    [0, [home('a', 2), home('b', 1)], [0, 0]],
    [0, [home('a', 2, 1), home('b', 1)], [1, 0]],
    [1, [home('a'), home('b', 1)], [0, 1]],
    [9, [home('a', 0, 0, 2), home('b')], [2, 7]],
    [99, [home('a', 0, 0, 2), home('b')], [2, 8]],
    [3, [], []],
  ] as const)('%i at %j: %j', (total, there, shares) => {
    expect(sharesOf(total, there)).toEqual(shares);
  });

  test('are as many as were asked for, or as near as the nodes let them be, and within what each may have', () => {
    fc.assert(
      fc.property(fc.nat(120), homes, (total, made) => {
        const all = asHomes(made);
        const shares = sharesOf(total, all);
        const [least, most] = [sum(all.map((one) => one.least)), sum(all.map((one) => one.most))];
        expect(sum(shares)).toBe(Math.min(most, Math.max(least, total)));
        for (const [index, { least, most }] of all.entries()) {
          expect(shares[index]).toBeGreaterThanOrEqual(least);
          expect(shares[index]).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  test('differ by one at most between nodes that may have as many', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.array(fc.nat(9), { minLength: 1, maxLength: 8 }), (total, present) => {
        const shares = sharesOf(
          total,
          present.map((replicas, index) => home(`n${index}`, replicas, 0, 50)),
        );
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('are the same whoever asks, and more of them take none from any node', () => {
    fc.assert(
      fc.property(fc.nat(60), homes, (total, made) => {
        const all = asHomes(made);
        const shares = sharesOf(total, all);
        expect(sharesOf(total, [...all].reverse())).toEqual([...shares].reverse());
        for (const [index, more] of sharesOf(total + 1, all).entries()) {
          expect(more).toBeGreaterThanOrEqual(shares[index]!);
        }
      }),
    );
  });
});
