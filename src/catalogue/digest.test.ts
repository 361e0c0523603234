import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { encodeMessage } from '../membership/message.ts';
import { batches, bucketCount, compareDigests, digest, maxBatchBytes, maxBatchRecords, recordsOf } from './digest.ts';
import { empty, merge, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';

const made = (key: string, counter = 1, value: unknown = 1): CatalogueRecord => ({
  key,
  version: { counter, node: nodeId('n') },
  value,
  at: 1,
});
const stateOf = (records: readonly CatalogueRecord[]): CatalogueState => merge(empty, records).state;

const records = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 3 }), fc.option(fc.nat(3), { nil: null })),
  { maxLength: 30 },
);
const stateFrom = (list: readonly (readonly [number, number, number | null])[]): CatalogueState =>
  stateOf(list.map(([key, counter, value]) => made(`function/ns/f${key}`, counter, value)));

describe('digest', () => {
  it('is the same for the same records in any order', () => {
    fc.assert(
      fc.property(records, (list) => {
        expect(digest(stateFrom(list.toReversed()))).toEqual(digest(stateFrom(list)));
      }),
    );
  });

  it('tells exactly two catalogues that differ apart, and one answer each way makes them equal', () => {
    fc.assert(
      fc.property(records, records, (a, b) => {
        const [left, right] = [stateFrom(a), stateFrom(b)];
        const differing = compareDigests(digest(left), digest(right)) ?? [];
        const bothSame = isDeepStrictEqual(left.records, right.records);
        expect(differing.length === 0).toBe(bothSame);
        const leftAfter = merge(left, recordsOf(right, differing)).state;
        const rightAfter = merge(right, recordsOf(left, differing)).state;
        expect(digest(leftAfter)).toEqual(digest(rightAfter));
      }),
    );
  });

  it('sees a changed value under the same version, and a changed order of members as no change', () => {
    const one = stateOf([made('a', 1, { x: 1, y: 2 })]);
    expect(digest(one)).toEqual(digest(stateOf([made('a', 1, { y: 2, x: 1 })])));
    expect(compareDigests(digest(one), digest(stateOf([made('a', 1, { x: 1, y: 3 })])))).toHaveLength(1);
  });

  it('marks empty buckets, has one text a bucket, and compares with no digest of another shape', () => {
    expect(digest(empty)).toEqual(Array.from({ length: bucketCount }, () => ''));
    expect(compareDigests(digest(empty), ['', ''])).toBeUndefined();
  });
});

describe('batches', () => {
  it('fits every batch into a message and leaves nothing out', () => {
    const many = Array.from({ length: 2_500 }, (_, n) => made(`k${n}`, 1, 'x'.repeat((n % 50) * 40)));
    const cut = batches(many);
    expect(cut.flat()).toEqual(many);
    for (const batch of cut) {
      expect(batch.length).toBeLessThanOrEqual(maxBatchRecords);
      const bytes = encodeMessage({ kind: 'records', records: [...batch] }).length;
      expect(bytes).toBeLessThanOrEqual(maxBatchBytes + 100);
    }
  });

  it('keeps digests small, and the answer to one small, with thousands of functions', () => {
    const deployment = { service: 'x'.repeat(63), image: 'image:tag', envVars: { key: 'y'.repeat(300) } };
    const all = Array.from({ length: 5_000 }, (_, n) => made(`function/openfaas-fn/f${n}`, n + 1, { deployment }));
    const buckets = [...digest(stateOf(all))];
    expect(encodeMessage({ kind: 'digest', buckets, ask: true }).length).toBeLessThan(16 * 1024);
    const differing = compareDigests(digest(stateOf(all.slice(1))), buckets) ?? [];
    expect(differing).toHaveLength(1);
    expect(recordsOf(stateOf(all), differing).length).toBeLessThan(100);
  });

  it('makes nothing of nothing', () => {
    expect(batches([])).toEqual([]);
  });
});
