import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { collect, empty, maxCounterJump, merge, tombstoneMs, write, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';

/** Few keys, versions and values, so that clashes, also of equal versions with different values, are common. */
const record: fc.Arbitrary<CatalogueRecord> = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  version: fc.record({ counter: fc.integer({ min: 1, max: 4 }), node: fc.constantFrom('n1', 'n2').map(nodeId) }),
  value: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 2 }), fc.constant({ x: 1, y: [2] })),
  at: fc.integer({ min: 1, max: 3 }),
});
const records = fc.array(record, { maxLength: 12 });

const after = (...batches: readonly (readonly CatalogueRecord[])[]): CatalogueState => {
  let state = empty;
  for (const batch of batches) state = merge(state, batch).state;
  return state;
};

const all = (state: CatalogueState): readonly CatalogueRecord[] => [...state.records.values()];

describe('merge', () => {
  it('gives the same state for the same records in any order', () => {
    const shuffled = records.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(after(list)).toEqual(after(other));
      }),
    );
  });

  it('gives the same state however the records are grouped', () => {
    fc.assert(
      fc.property(records, records, records, (a, b, c) => {
        const left = after(all(after(a, b)), c);
        const right = after(a, all(after(b, c)));
        expect(left.records).toEqual(right.records);
        expect(after(a, b, c)).toEqual(after([...a, ...b, ...c]));
      }),
    );
  });

  it('changes nothing when records come again', () => {
    fc.assert(
      fc.property(records, (list) => {
        const state = after(list);
        const again = merge(state, list);
        expect(again.changed).toEqual([]);
        expect(again.state).toBe(state);
      }),
    );
  });

  it('names what changed, once a key', () => {
    const old = { key: 'a', version: { counter: 1, node: nodeId('n') }, value: 1, at: 1 };
    const newer = { ...old, version: { ...old.version, counter: 2 }, value: 2 };
    expect(merge(empty, [old, newer, old]).changed).toEqual([newer]);
  });

  it('does not bring a deleted record back when a retry arrives late', () => {
    const { state, record: put } = write(empty, nodeId('n1'), 'a', 1, 10);
    const { state: deleted, record: tombstone } = write(state, nodeId('n2'), 'a', null, 20);
    expect(merge(deleted, [put]).state.records.get('a')).toBe(tombstone);
  });

  it('refuses a counter so large that it would leave no room for later writes', () => {
    const hostile = {
      key: 'a',
      version: { counter: Number.MAX_SAFE_INTEGER, node: nodeId('evil') },
      value: 1,
      at: 1,
    };
    const { state, changed, refused } = merge(empty, [hostile]);
    expect({ state, changed, refused }).toEqual({ state: empty, changed: [], refused: 1 });
  });

  it('lets a newcomer take counters of a federation with a long past', () => {
    const late = { key: 'a', version: { counter: maxCounterJump, node: nodeId('n') }, value: 1, at: 1 };
    expect(write(merge(empty, [late]).state, nodeId('me'), 'b', 1, 1).record.version.counter).toBe(maxCounterJump + 1);
  });

  it('leaves the states it is given as they are', () => {
    const before = after([{ key: 'a', version: { counter: 1, node: nodeId('n') }, value: 1, at: 1 }]);
    write(before, nodeId('n'), 'a', 2, 2);
    merge(before, [{ key: 'b', version: { counter: 9, node: nodeId('n') }, value: 1, at: 1 }]);
    expect(all(before).map(({ value }) => value)).toEqual([1]);
    expect(before.counter).toBe(1);
  });
});

describe('write', () => {
  it('is newer than everything seen, for every key', () => {
    fc.assert(
      fc.property(records, fc.constantFrom('a', 'b', 'c'), (list, key) => {
        const { state, record: written } = write(after(list), nodeId('n0'), key, 'mine', 0);
        expect(merge(state, list).state.records.get(key)).toBe(written);
      }),
    );
  });

  it('never dates a tombstone before what it deletes', () => {
    const { state } = write(empty, nodeId('n'), 'a', 1, 5_000);
    expect(write(state, nodeId('clock-at-zero'), 'a', null, 0).record.at).toBe(5_000);
  });
});

describe('collect', () => {
  const tombstone = { key: 'a', version: { counter: 7, node: nodeId('n') }, value: null, at: 1_000 };
  const value = { key: 'b', version: { counter: 3, node: nodeId('n') }, value: 1, at: 1_000 };

  it('keeps tombstones for their whole time, and values for ever', () => {
    const state = after([tombstone, value]);
    expect(collect(state, 1_000 + tombstoneMs).state).toBe(state);
    const { state: left, collected } = collect(state, 1_001 + tombstoneMs);
    expect(collected).toEqual(['a']);
    expect(all(left)).toEqual([value]);
  });

  it('gives out no version twice after the newest record was forgotten', () => {
    const { state } = collect(after([tombstone]), 2_000 + tombstoneMs);
    expect(write(state, nodeId('n'), 'a', 1, 1).record.version.counter).toBe(8);
  });
});

describe('replicas', () => {
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      at: fc.nat(3),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      value: fc.option(fc.nat(9), { nil: null }),
    }),
    /** One hands another everything it has, or, under a partition, the part of it that got through. */
    fc.record({
      kind: fc.constant('tell' as const),
      from: fc.nat(3),
      to: fc.nat(3),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  );

  it('agree after any interleaving of writes, losses and partitions, and the last write anyone could know of stands', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const replicas = Array.from({ length: 4 }, () => empty);
        const written: CatalogueRecord[] = [];
        for (const [time, event] of events.entries()) {
          if (event.kind === 'write') {
            const made = write(replicas[event.at]!, nodeId(`n${event.at}`), event.key, event.value, time);
            replicas[event.at] = made.state;
            written.push(made.record);
          } else {
            const told = all(replicas[event.from]!);
            const heard = told.slice(0, Math.ceil(told.length * event.part));
            replicas[event.to] = merge(replicas[event.to]!, heard).state;
          }
        }
        const healed = replicas.map((state) => after(all(state), ...replicas.map(all)));
        for (const state of healed) expect(state.records).toEqual(after(written).records);
      }),
    );
  });
});
