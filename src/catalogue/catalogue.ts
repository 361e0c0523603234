import { messageOf, SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { Member, Membership } from '../membership/membership.ts';
import type { Message } from '../membership/message.ts';
import { canonicalJson } from '../std/canonical-json.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { Log } from '../telemetry/log.ts';
import { maxRecordBytes, recordBytes } from './digest.ts';
import { DurableState } from './durable-state.ts';
import { isExpired, write } from './merge.ts';
import type { CatalogueRecord, Version } from './record.ts';
import type { SyncPoints } from './standing.ts';
import type { CatalogueStore } from './store.ts';
import { Sync, tickMs, type SyncEffect } from './sync.ts';
import { problemOf } from './values.ts';

export type CatalogueNeeds = {
  readonly store: CatalogueStore;
  readonly membership: Pick<Membership, 'members' | 'onChange' | 'onMessage' | 'broadcast' | 'send'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly self: NodeId;
};

export type Condition = { readonly ifAbsent?: boolean; readonly ifPresent?: boolean };

/** Judged by what this node knows at that moment; two nodes may both find a key absent, and then the newer write stays. */
export type PutOutcome =
  | { readonly kind: 'written'; readonly version: Version }
  /** `ifAbsent`, but there is a value. */
  | { readonly kind: 'exists' }
  /** `ifPresent`, but there is none. */
  | { readonly kind: 'absent' };

export type CatalogueStatus = {
  /** Values, without tombstones. */
  readonly records: number;
  readonly tombstones: number;
  readonly counter: number;
  /** Alive members, and how many of those are not known to hold the same. */
  readonly members: number;
  readonly behind: number;
  /** Cut off for so long that the others' catalogue will be taken as the truth (`standing.ts`). */
  readonly away: boolean;
  /** Since the start: records from elsewhere refused for their version, size or age, and values not used because they make no sense. */
  readonly refused: number;
  readonly invalid: number;
};

/** How often old tombstones and the sync points are seen to. */
const housekeepingMs = 60_000;

const maxKeyLength = 512;

/** Sync points are compared with days; writing them more often would only wear the disk. */
const savePointsEveryMs = 600_000;

/**
 * What the federation wants, as this node knows it. Reads come from memory and show only what is stored; writes
 * resolve when they are on this node's disk, and are told to the others after that.
 *
 * Values are JSON. A value from elsewhere that its kind of key does not allow is kept and passed on, so that all
 * nodes agree, but never shown.
 */
export class Catalogue {
  readonly #needs: CatalogueNeeds;
  readonly #state: DurableState;
  #sync: Sync;
  #refused = 0;
  #invalid = 0;
  #savedPoints: SyncPoints = new Map();
  #pointsSavedAt = -Infinity;
  readonly #listeners = new Set<(keys: readonly string[]) => void>();
  #ends: (() => void)[] = [];
  readonly #busy = new Set<Promise<unknown>>();

  constructor(needs: CatalogueNeeds) {
    this.#needs = needs;
    this.#state = new DurableState(needs.store);
    this.#sync = new Sync({ self: needs.self, random: needs.random, points: new Map() });
  }

  /** Loads what is stored and begins to talk to the others. */
  async start(): Promise<void> {
    const { membership, clock, self, random } = this.#needs;
    const points = await this.#state.load();
    this.#savedPoints = points;
    this.#sync = new Sync({ self, random, points });
    this.#noteInvalid([...this.#state.stored.records.values()]);
    this.#ends = [
      membership.onMessage((from, message) => this.#received(from, message)),
      membership.onChange((members) => this.#membersChanged(members)),
      clock.every(tickMs, () => this.#perform(this.#sync.tick(this.#state.stored, clock.now()))),
      clock.every(housekeepingMs, () => this.#keepHouse()),
    ];
    this.#membersChanged(membership.members());
  }

  /** Falls silent, and resolves when all that was being stored is. Writes after this reject with `unavailable`. */
  async stop(): Promise<void> {
    const wasRunning = this.#ends.length > 0;
    for (const end of this.#ends.splice(0)) end();
    if (!wasRunning) return;
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy);
    await this.#savePoints();
  }

  /** The value under `key`, or undefined when it is absent, deleted or makes no sense. */
  get(key: string): CatalogueRecord | undefined {
    const record = this.#state.stored.records.get(key);
    return record !== undefined && isShown(record) ? record : undefined;
  }

  /** All whose key begins with `prefix`, by key. */
  list(prefix: string): readonly CatalogueRecord[] {
    return [...this.#state.stored.records.values()]
      .filter((record) => record.key.startsWith(prefix) && isShown(record))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * Writes. `invalid` when the value does not fit its key, `too-large` above `maxRecordBytes`, `unavailable` when it cannot be
   * stored (then nobody was told of it).
   */
  async put(key: string, value: unknown, condition: Condition = {}): Promise<PutOutcome> {
    if (value === null || value === undefined) throw new SkeinError('invalid', `${key} needs a value; use remove.`);
    const problem = problemOf(key, value);
    if (problem !== undefined) throw new SkeinError('invalid', `${key} cannot hold this value. ${problem}`);
    const present = this.#isPresent(key);
    if (condition.ifAbsent === true && present) return { kind: 'exists' };
    if (condition.ifPresent === true && !present) return { kind: 'absent' };
    return { kind: 'written', version: await this.#write(key, JSON.parse(canonicalJson(value))) };
  }

  /** Deletes; `absent` when there was nothing. */
  async remove(key: string): Promise<PutOutcome> {
    if (!this.#isPresent(key)) return { kind: 'absent' };
    return { kind: 'written', version: await this.#write(key, null) };
  }

  /** Called with the keys that changed, after they did. Returns what ends it. */
  onChange(listener: (keys: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): CatalogueStatus {
    const all = [...this.#state.stored.records.values()];
    const tombstones = all.filter(({ value }) => value === null).length;
    return {
      records: all.length - tombstones,
      tombstones,
      counter: this.#state.stored.counter,
      members: this.#sync.alive,
      behind: this.#sync.behind,
      away: this.#sync.isAway(this.#needs.clock.now()),
      refused: this.#refused,
      invalid: this.#invalid,
    };
  }

  #isPresent(key: string): boolean {
    const record = this.#state.head.records.get(key);
    return record !== undefined && isShown(record);
  }

  async #write(key: string, value: unknown): Promise<Version> {
    if (this.#ends.length === 0) throw new SkeinError('unavailable', 'The catalogue is not running.');
    const { clock, self } = this.#needs;
    const { state, record } = write(this.#state.head, self, key, value, clock.now());
    if (key.length > maxKeyLength || recordBytes(record) > maxRecordBytes) {
      throw new SkeinError(
        'too-large',
        `${key.slice(0, 80)} is too large for the catalogue: at most ${maxKeyLength} characters of key and ${maxRecordBytes} bytes.`,
      );
    }
    await this.#tracked(this.#state.write(state, record));
    this.#show([record]);
    this.#perform(this.#sync.wrote([record], clock.now()));
    return record.version;
  }

  #show(records: readonly CatalogueRecord[], dropped: readonly string[] = []): void {
    this.#noteInvalid(records);
    this.#tell([...records.map(({ key }) => key), ...dropped]);
  }

  #tell(keys: readonly string[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(keys);
      } catch (error) {
        this.#needs.log.error({ problem: messageOf(error) }, 'a listener of the catalogue failed');
      }
    }
  }

  #noteInvalid(records: readonly CatalogueRecord[]): void {
    for (const record of records) {
      const problem = problemWith(record);
      if (problem === undefined) continue;
      this.#invalid++;
      const fields = { key: record.key, writer: record.version.node, problem };
      this.#needs.log.warn(fields, 'a value in the catalogue makes no sense and is not used');
    }
  }

  #membersChanged(members: readonly Member[]): void {
    const alive = members.filter(({ state }) => state === 'alive').map(({ id }) => id);
    this.#sync.membersChanged(alive, this.#needs.clock.now());
  }

  #received(from: NodeId, message: Message): void {
    this.#perform(this.#sync.received(from, message, this.#state.stored, this.#needs.clock.now()));
  }

  #perform(effects: readonly SyncEffect[]): void {
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: SyncEffect): void {
    const { membership, log } = this.#needs;
    switch (effect.kind) {
      case 'broadcast':
        void membership.broadcast(effect.message);
        return;
      case 'send':
        // Whoever cannot be reached now is compared again when it can.
        membership.send(effect.to, effect.message).catch((error: unknown) => {
          log.debug({ peer: effect.to, problem: messageOf(error) }, 'a catalogue message was not sent');
        });
        return;
      case 'merge':
        this.#background(this.#take(effect.records));
        return;
      case 'adopt':
        this.#background(this.#adopt(effect));
        return;
    }
  }

  async #take(records: readonly CatalogueRecord[]): Promise<void> {
    const acceptable = records.filter((record) => this.#isAcceptable(record));
    const { changed, refused } = await this.#state.take(acceptable);
    this.#refused += records.length - acceptable.length + refused;
    if (changed.length > 0) this.#show(changed);
  }

  /** A forgotten tombstone is not taken back, unless this node is away and so may not forget (`standing.ts`). */
  #isAcceptable(record: CatalogueRecord): boolean {
    const now = this.#needs.clock.now();
    if (record.key.length > maxKeyLength || recordBytes(record) > maxRecordBytes) return false;
    return !isExpired(record, now) || this.#state.head.records.has(record.key) || this.#sync.isAway(now);
  }

  async #adopt({ from, truth, since }: Adoption): Promise<void> {
    const { clock, log } = this.#needs;
    const adopted = await this.#state.adopt(truth, since, clock.now());
    if (adopted === undefined) return;
    const { changed, kept, dropped } = adopted;
    const fields = { peer: from, dropped: dropped.length, kept: kept.length };
    log.info(fields, 'back after a long time: took the catalogue of the others');
    this.#show(changed, dropped);
    this.#perform(this.#sync.cameBack(from, truth, kept, clock.now()));
  }

  #keepHouse(): void {
    const now = this.#needs.clock.now();
    if (now - this.#pointsSavedAt >= savePointsEveryMs) this.#background(this.#savePoints());
    if (!this.#sync.isAway(now)) this.#background(this.#state.collect(now));
  }

  async #savePoints(): Promise<void> {
    const { points } = this.#sync;
    if (points === this.#savedPoints) return;
    this.#savedPoints = points;
    this.#pointsSavedAt = this.#needs.clock.now();
    await this.#needs.store.savePoints(points);
  }

  #background(work: Promise<void>): void {
    void this.#tracked(work).catch((error: unknown) => {
      this.#needs.log.error({ problem: messageOf(error) }, 'the catalogue could not be stored');
    });
  }

  async #tracked<T>(work: Promise<T>): Promise<T> {
    this.#busy.add(work);
    try {
      return await work;
    } finally {
      this.#busy.delete(work);
    }
  }
}

const isShown = (record: CatalogueRecord): boolean => record.value !== null && problemWith(record) === undefined;

/** Each record is checked once, however often it is read. */
const problems = new WeakMap<CatalogueRecord, { readonly problem: string | undefined }>();

const problemWith = (record: CatalogueRecord): string | undefined => {
  const checked = problems.get(record) ?? { problem: problemOf(record.key, record.value) };
  problems.set(record, checked);
  return checked.problem;
};

type Adoption = Extract<SyncEffect, { kind: 'adopt' }>;
