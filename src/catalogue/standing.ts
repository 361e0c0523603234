import { SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { compareRecords, isExpired, merge, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';

/**
 * Who may say what the catalogue is, after a long separation.
 *
 * Tombstones are not kept for ever, so a node that was cut off for longer than they live may hold records that the
 * others deleted and forgot; offering them would bring them back. A node is *away* when for `awayMs` it has not been
 * in sync with a majority of the nodes it ever knew. A node that is away
 *
 * - keeps all its tombstones, so two nodes that are both away can merge as always;
 * - offers nothing to a node that is not away, but takes that node's catalogue as the truth and adds only what was
 *   written since it was cut off (`adoptTruth`).
 *
 * Of two parts of a split federation at most one holds a majority, so at most one forgets tombstones.
 */
export const awayMs = 7 * 24 * 3_600_000;

/** The last moment at which this node and another held the same: when, and this node's counter then. */
export type SyncPoint = { readonly at: number; readonly counter: number };

/** By node; every node this one was ever in sync with. */
export type SyncPoints = ReadonlyMap<NodeId, SyncPoint>;

/** When this node last agreed with a majority; undefined when it never agreed with anyone: it is alone, and a majority. */
export const lastMajority = (points: SyncPoints): SyncPoint | undefined => {
  const newestFirst = [...points.values()].sort((a, b) => b.at - a.at);
  const othersNeeded = Math.floor((points.size + 1) / 2);
  return newestFirst[othersNeeded - 1];
};

export const isAway = (points: SyncPoints, now: number): boolean => {
  const point = lastMajority(points);
  return point !== undefined && now - point.at > awayMs;
};

/** Clocks of nodes may differ by this much without a write during the separation being taken for an older one. */
const clockSkewMs = 600_000;

export type Adopted = {
  readonly state: CatalogueState;
  /** What must be stored. */
  readonly changed: readonly CatalogueRecord[];
  /** Own writes since the separation that the others do not have yet. */
  readonly kept: readonly CatalogueRecord[];
  /** What the others deleted and forgot in the meantime. */
  readonly dropped: readonly string[];
};

/**
 * The state of a node that comes back: the others' catalogue, and of its own what was written after `since`, by counter or by clock.
 * In doubt a record is kept: losing an acknowledged write is worse than deleting twice.
 */
export const adoptTruth = (own: CatalogueState, truth: CatalogueState, since: SyncPoint, now: number): Adopted => {
  const isNew = (record: CatalogueRecord): boolean =>
    !isExpired(record, now) && (record.version.counter > since.counter || record.at > since.at - clockSkewMs);
  const { state: merged, changed: kept } = merge(truth, [...own.records.values()].filter(isNew));
  const state = { records: merged.records, counter: Math.max(own.counter, merged.counter) };
  const changed = [...state.records.values()].filter((record) => {
    const known = own.records.get(record.key);
    return known === undefined || compareRecords(known, record) !== 0;
  });
  const dropped = [...own.records.keys()].filter((key) => !state.records.has(key));
  return { state, changed, kept, dropped };
};

/** Bounds what is remembered of nodes that are gone for good: the one not met for longest is forgotten first. */
const maxPoints = 1024;

export const noteSync = (points: SyncPoints, node: NodeId, point: SyncPoint): SyncPoints => {
  const next = new Map(points).set(node, point);
  if (next.size <= maxPoints) return next;
  const [oldest] = [...next].sort(([, a], [, b]) => a.at - b.at);
  if (oldest === undefined) throw new SkeinError('internal', 'A map larger than its bound has no entry.');
  next.delete(oldest[0]);
  return next;
};
