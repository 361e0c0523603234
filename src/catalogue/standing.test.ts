import { describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { empty, merge, tombstoneMs, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';
import { adoptTruth, awayMs, isAway, lastMajority, noteSync, type SyncPoints } from './standing.ts';

const day = 24 * 3_600_000;
const now = 100 * day;
const points = (...daysAgo: readonly number[]): SyncPoints =>
  new Map(daysAgo.map((days, n) => [nodeId(`n${n}`), { at: now - days * day, counter: 50 - days }]));

const made = (key: string, counter: number, daysAgo: number, value: unknown = 1): CatalogueRecord => ({
  key,
  version: { counter, node: nodeId('me') },
  value,
  at: now - daysAgo * day,
});
const stateOf = (...records: readonly CatalogueRecord[]): CatalogueState => merge(empty, records).state;
const since = { at: now - 20 * day, counter: 10 };

describe('isAway', () => {
  it.each([
    ['a node that never met another is not away', [], false],
    ['one of two that met the other lately is not away', [1], false],
    ['one of two that met the other long ago is away', [8], true],
    ['one of three needs one other', [1, 30], false],
    ['one of four needs two others', [1, 30, 30], true],
    ['two of five are away', [1, 30, 30, 30], true],
    ['three of five are not', [1, 1, 30, 30], false],
  ] as const)('%s', (_, daysAgo, expected) => {
    expect(isAway(points(...daysAgo), now)).toBe(expected);
  });

  it('begins after the whole time, not before', () => {
    const at = lastMajority(points(3))!.at;
    expect(isAway(points(3), at + awayMs)).toBe(false);
    expect(isAway(points(3), at + awayMs + 1)).toBe(true);
  });

  it('never finds both parts of a split federation in good standing', () => {
    for (let size = 2; size <= 9; size++) {
      for (let left = 1; left < size; left++) {
        const part = (own: number): SyncPoints =>
          points(...Array.from({ length: size - 1 }, (_, n) => (n < own - 1 ? 0 : 10)));
        expect(isAway(part(left), now) || isAway(part(size - left), now)).toBe(true);
      }
    }
  });
});

describe('adoptTruth', () => {
  it('drops what the others deleted and forgot', () => {
    const adopted = adoptTruth(
      stateOf(made('old', 5, 30), made('both', 6, 30)),
      stateOf(made('both', 6, 30)),
      since,
      now,
    );
    expect(adopted.dropped).toEqual(['old']);
    expect([...adopted.state.records.keys()]).toEqual(['both']);
    expect(adopted.changed).toEqual([]);
  });

  it('keeps what was written since, by counter or by clock, and says so', () => {
    const own = stateOf(made('by-counter', 11, 30), made('by-clock', 9, 5), made('old', 5, 30));
    const { state, kept } = adoptTruth(own, empty, since, now);
    expect([...state.records.keys()].sort()).toEqual(['by-clock', 'by-counter']);
    expect(kept).toHaveLength(2);
  });

  it('takes what is newer there and stores it', () => {
    const newer = made('a', 12, 3, 2);
    const { state, changed } = adoptTruth(stateOf(made('a', 5, 30)), stateOf(newer), since, now);
    expect(state.records.get('a')).toEqual(newer);
    expect(changed).toEqual([newer]);
  });

  it('does not offer tombstones that the others would have forgotten', () => {
    const expired = made('a', 11, tombstoneMs / day + 1, null);
    expect(adoptTruth(stateOf(expired), empty, since, now).dropped).toEqual(['a']);
  });

  it('never goes back in its counter', () => {
    expect(adoptTruth({ records: new Map(), counter: 99 }, empty, since, now).state.counter).toBe(99);
  });
});

describe('noteSync', () => {
  it('is bounded and forgets who was not met for longest', () => {
    let all: SyncPoints = new Map();
    for (let n = 0; n <= 1024; n++) all = noteSync(all, nodeId(`n${n}`), { at: n, counter: 1 });
    expect(all.size).toBe(1024);
    expect(all.has(nodeId('n0'))).toBe(false);
  });
});
