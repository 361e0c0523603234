import { canonicalJson } from '../std/canonical-json.ts';
import { sha256 } from '../std/sha256.ts';
import type { CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';

/** A catalogue's fingerprints: records are spread over this many buckets by key, and each bucket has one. */
export const bucketCount = 256;

/** Of one message, encoded: half of what membership takes, which leaves room for its envelope. */
export const maxBatchBytes = 512 * 1024;
export const maxBatchRecords = 1000;

/** Longest record in bytes, as JSON. */
export const maxRecordBytes = 256 * 1024;

const hashBytes = 16;

/**
 * One text a bucket, '' for an empty one. The sum (exclusive or) of the records' hashes, so the order in which they came does
 * not matter. Each record is hashed once, however often it is summed.
 */
export const digest = (state: CatalogueState): readonly string[] => {
  const known = digests.get(state);
  if (known !== undefined) return known;
  const sums = new Map<number, Buffer>();
  for (const record of state.records.values()) {
    const { bucket, hash } = fingerprint(record);
    const sum = sums.get(bucket) ?? Buffer.alloc(hashBytes);
    for (let i = 0; i < hashBytes; i++) sum[i] = (sum[i] ?? 0) ^ (hash[i] ?? 0);
    sums.set(bucket, sum);
  }
  const result = Array.from({ length: bucketCount }, (_, bucket) => sums.get(bucket)?.toString('hex') ?? '');
  digests.set(state, result);
  return result;
};

/** The buckets in which two catalogues differ; undefined when `theirs` is not made like ours. */
export const compareDigests = (own: readonly string[], theirs: readonly string[]): readonly number[] | undefined => {
  if (theirs.length !== own.length) return undefined;
  return own.flatMap((sum, bucket) => (sum === theirs[bucket] ? [] : [bucket]));
};

export const recordsOf = (state: CatalogueState, buckets: Iterable<number>): readonly CatalogueRecord[] => {
  const wanted = new Set(buckets);
  return [...state.records.values()].filter((record) => wanted.has(fingerprint(record).bucket));
};

/** Cuts records into what one message may carry. A record longer than `maxBatchBytes` would travel alone. */
export const batches = (records: Iterable<CatalogueRecord>): readonly (readonly CatalogueRecord[])[] => {
  const result: CatalogueRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = recordBytes(record) + 1;
    const last = result.at(-1);
    if (last === undefined || last.length >= maxBatchRecords || bytes + size > maxBatchBytes) {
      result.push([record]);
      bytes = size;
    } else {
      last.push(record);
      bytes += size;
    }
  }
  return result;
};

export const recordBytes = (record: CatalogueRecord): number => Buffer.byteLength(JSON.stringify(record));

type Fingerprint = { readonly bucket: number; readonly hash: Buffer };

const fingerprints = new WeakMap<CatalogueRecord, Fingerprint>();
const digests = new WeakMap<CatalogueState, readonly string[]>();

const fingerprint = (record: CatalogueRecord): Fingerprint => {
  const known = fingerprints.get(record);
  if (known !== undefined) return known;
  const { key, version, value, at } = record;
  const made = {
    bucket: sha256(key).readUInt32BE() % bucketCount,
    hash: sha256(canonicalJson([key, version.counter, version.node, value, at])).subarray(0, hashBytes),
  };
  fingerprints.set(record, made);
  return made;
};
