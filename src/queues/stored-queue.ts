import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { checkItem, sizeOf } from './check-item.ts';
import { DeadShelf } from './dead-shelf.ts';
import type { ItemStorage, NewStored, StoredItems } from './item-storage.ts';
import { QueueIndex, type Entry } from './queue-index.ts';
import { laneStats } from './lane-stats.ts';
import {
  maxDelayMs,
  maxWhy,
  type Cancelled,
  type LaneStats,
  type Queue,
  type QueueItem,
  type QueueLimits,
  type Ready,
  type Taken,
} from './queue.ts';

export type StoredQueueNeeds = { readonly clock: Pick<Clock, 'now' | 'monotonic'>; readonly log: Log };

/** A queue that one process owns: an index in memory decides, a storage keeps. Leases end with the process. */
export class StoredQueue implements Queue {
  readonly shared = false;
  readonly dead: DeadShelf;
  readonly #needs: StoredQueueNeeds;
  readonly limits: QueueLimits;
  readonly #storage: ItemStorage;
  readonly #index: QueueIndex;
  readonly #wakes = new Set<() => void>();
  #lastId: number;

  static async open(storage: ItemStorage, limits: QueueLimits, needs: StoredQueueNeeds): Promise<StoredQueue> {
    return new StoredQueue(storage, await storage.load(), limits, needs);
  }

  private constructor(storage: ItemStorage, stored: StoredItems, limits: QueueLimits, needs: StoredQueueNeeds) {
    this.#needs = needs;
    this.limits = limits;
    this.#storage = storage;
    this.#index = new QueueIndex(limits);
    this.#lastId = stored.lastId;
    this.dead = new DeadShelf(stored.dead, limits, storage, this.#index, needs, () => this.#wake());
    const [now, monotonic] = [needs.clock.now(), needs.clock.monotonic()];
    for (const { dueAtMs, ...item } of stored.items) {
      // A clock that was set back must not hold an item for longer than any pause lasts.
      const delayMs = Math.min(maxDelayMs, dueAtMs - now);
      this.#index.charge(item.lane, item.bytes);
      this.#index.put({ ...item, state: delayMs > 0 ? 'delayed' : 'waiting', untilMs: monotonic + delayMs });
    }
  }

  async add(item: QueueItem): Promise<void> {
    checkItem(item, this.limits.itemBytes);
    const added = this.#numbered(item);
    const bytes = sizeOf(item);
    this.#index.reserve(item.lane, bytes);
    try {
      await this.#storage.insert([added]);
    } catch (error) {
      this.#index.release(item.lane, bytes);
      throw error;
    }
    this.#put(added);
  }

  async take(lane: string): Promise<Taken | undefined> {
    const entry = this.#index.take(lane, this.#monotonic(), this.limits.leaseMs);
    if (entry === undefined) return undefined;
    const { attempt } = entry;
    try {
      const content = await this.#storage.attempt(entry.id, attempt);
      return this.#taken(entry, attempt, { lane, callId: entry.callId, ...content });
    } catch (error) {
      // Whoever had it before finished it after all: then it is the turn of the next one.
      if (!this.#index.has(entry)) return this.take(lane);
      if (entry.attempt === attempt) {
        // Nobody got it: a disk that is full for a while must not use up its attempts.
        entry.attempt--;
        this.#index.move(entry, 'waiting', 0);
      }
      throw error;
    }
  }

  async ready(): Promise<Ready> {
    return this.#index.ready(this.#monotonic());
  }

  onReady(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  async cancel(callId: string): Promise<Cancelled> {
    const entries = this.#index.ofCall(callId);
    const waiting = entries.filter(({ state }) => state !== 'taken');
    // Nobody takes them while the disk is being told; what it does not hear is there again at the next start.
    for (const entry of waiting) this.#index.remove(entry);
    if (waiting.length > 0) await this.#storage.remove(waiting.map(({ id }) => id));
    return { cancelled: waiting.length, running: entries.length - waiting.length };
  }

  async stats(): Promise<readonly LaneStats[]> {
    return laneStats(this.#index.all(), this.dead.all(), this.#needs.clock.now());
  }

  async close(): Promise<void> {
    this.#wakes.clear();
    await this.#storage.close();
  }

  #taken(entry: Entry, attempt: number, item: QueueItem): Taken {
    const mine = (): boolean => entry.attempt === attempt && entry.state === 'taken';
    return {
      item,
      attempt,
      ageMs: Math.max(0, this.#needs.clock.now() - entry.addedAtMs),
      extend: async () => {
        if (mine()) this.#index.move(entry, 'taken', this.#monotonic() + this.limits.leaseMs);
      },
      done: (followUp) => this.#done(entry, followUp),
      retryLater: async (delayMs) => {
        if (mine()) await this.#retryLater(entry, delayMs);
      },
      bury: async (why, followUp) => {
        if (mine()) await this.#bury(entry, why, followUp);
      },
    };
  }

  async #done(entry: Entry, followUp: QueueItem | undefined): Promise<void> {
    if (!this.#index.has(entry)) return;
    const added = this.#followUp(followUp);
    await this.#storage.remove([entry.id], added);
    this.#index.remove(entry);
    this.#putFollowUp(added);
  }

  async #retryLater(entry: Entry, delayMs: number): Promise<void> {
    const pauseMs = Math.min(maxDelayMs, Math.max(0, delayMs));
    await this.#storage.delay(entry.id, this.#needs.clock.now() + pauseMs);
    this.#index.move(entry, 'delayed', this.#monotonic() + pauseMs);
    this.#wake();
  }

  async #bury(entry: Entry, why: string, followUp: QueueItem | undefined): Promise<void> {
    const added = this.#followUp(followUp);
    await this.dead.bury(entry, why.slice(0, maxWhy), added);
    this.#index.remove(entry);
    this.#putFollowUp(added);
  }

  #followUp(item: QueueItem | undefined): NewStored | undefined {
    if (item === undefined) return undefined;
    checkItem(item, this.limits.itemBytes);
    return this.#numbered(item);
  }

  #putFollowUp(added: NewStored | undefined): void {
    if (added === undefined) return;
    this.#index.charge(added.item.lane, sizeOf(added.item));
    this.#put(added);
  }

  #numbered(item: QueueItem): NewStored {
    return { id: ++this.#lastId, addedAtMs: this.#needs.clock.now(), item };
  }

  #put({ id, addedAtMs, item }: NewStored): void {
    const { lane, callId } = item;
    this.#index.put({ id, lane, callId, bytes: sizeOf(item), addedAtMs, attempt: 0, state: 'waiting', untilMs: 0 });
    this.#wake();
  }

  #monotonic(): number {
    return this.#needs.clock.monotonic();
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
