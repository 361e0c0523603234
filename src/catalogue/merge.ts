import { SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { canonicalJson } from '../std/canonical-json.ts';
import type { CatalogueRecord } from './record.ts';

/**
 * The catalogue as one node holds it: the newest record of each key and the largest counter ever seen. States are
 * values: nothing here changes one.
 */
export type CatalogueState = {
  readonly records: ReadonlyMap<string, CatalogueRecord>;
  readonly counter: number;
};

export const empty: CatalogueState = { records: new Map(), counter: 0 };

/**
 * How far a counter from elsewhere may be ahead of the largest one known. A broken peer that sends a counter next to
 * the largest safe integer would otherwise leave no room for anyone's next write. A newcomer starts at 0, so this is
 * also the number of writes a federation may have behind it when a node joins.
 */
export const maxCounterJump = 2 ** 32;

/** How long tombstones are kept, by the writer's clock: twice as long as a node may be away without a full resync (`standing.ts`). */
export const tombstoneMs = 14 * 24 * 3_600_000;

/**
 * A total order, greater is newer: by counter, then by node. Two values under one version (a broken or hostile
 * writer) are ordered by their text, so that all nodes still choose the same one. 0 only for equal records.
 */
export const compareRecords = (a: CatalogueRecord, b: CatalogueRecord): number =>
  a.version.counter - b.version.counter ||
  compareText(a.version.node, b.version.node) ||
  compareText(canonicalJson(a.value), canonicalJson(b.value)) ||
  a.at - b.at;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * A write by `node` at this state. `value` null deletes. `at` is the writer's clock, never put before that of the record
 * replaced: a tombstone must not look older than what it deletes.
 */
export const write = (
  state: CatalogueState,
  node: NodeId,
  key: string,
  value: unknown,
  at: number,
): { readonly state: CatalogueState; readonly record: CatalogueRecord } => {
  const counter = state.counter + 1;
  if (counter > Number.MAX_SAFE_INTEGER) {
    throw new SkeinError('internal', 'The catalogue has no version numbers left; start a new one from an export.');
  }
  const record = { key, version: { counter, node }, value, at: Math.max(at, state.records.get(key)?.at ?? 0) };
  return { state: { records: new Map(state.records).set(key, record), counter }, record };
};

export type Merged = {
  readonly state: CatalogueState;
  /** The records that were newer than what was known. */
  readonly changed: readonly CatalogueRecord[];
  /** How many were refused because their counter is more than `maxCounterJump` ahead. */
  readonly refused: number;
};

/**
 * Takes what is newer. Commutative, associative and idempotent for counters within `maxCounterJump`: any order, grouping and
 * repetition of the same records gives the same state.
 */
export const merge = (state: CatalogueState, records: Iterable<CatalogueRecord>): Merged => {
  const limit = state.counter + maxCounterJump;
  const newer = new Map<string, CatalogueRecord>();
  let counter = state.counter;
  let refused = 0;
  for (const record of records) {
    if (record.version.counter > limit) {
      refused++;
      continue;
    }
    counter = Math.max(counter, record.version.counter);
    const known = newer.get(record.key) ?? state.records.get(record.key);
    if (known === undefined || compareRecords(record, known) > 0) newer.set(record.key, record);
  }
  if (newer.size === 0 && counter === state.counter) return { state, changed: [], refused };
  const all = newer.size === 0 ? state.records : new Map([...state.records, ...newer]);
  return { state: { records: all, counter }, changed: [...newer.values()], refused };
};

export const isExpired = (record: CatalogueRecord, now: number): boolean =>
  record.value === null && now - record.at > tombstoneMs;

/**
 * Forgets old tombstones. The counter stays, so that no version is ever given out twice. Only for a node in good
 * standing (`standing.ts`); others might still hold what the tombstone deletes.
 */
export const collect = (
  state: CatalogueState,
  now: number,
): { readonly state: CatalogueState; readonly collected: readonly string[] } => {
  const collected: string[] = [];
  for (const record of state.records.values()) if (isExpired(record, now)) collected.push(record.key);
  return collected.length === 0 ? { state, collected } : { state: without(state, collected), collected };
};

const without = (state: CatalogueState, keys: readonly string[]): CatalogueState => {
  const records = new Map(state.records);
  for (const key of keys) records.delete(key);
  return { records, counter: state.counter };
};
