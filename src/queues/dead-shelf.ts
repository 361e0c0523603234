import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { notFound } from './check-item.ts';
import type { Entry, QueueIndex } from './queue-index.ts';
import type { DeadLetter, DeadLetters, QueueLimits } from './queue.ts';
import type { Dead, ItemStorage, NewStored } from './item-storage.ts';

type Needs = { readonly clock: Pick<Clock, 'now' | 'monotonic'>; readonly log: Log };

/** The dead letters of a stored queue: listed as they were added, dropped as they were buried. */
export class DeadShelf implements DeadLetters {
  readonly #dead = new Map<number, Dead>();
  readonly #limits: QueueLimits;
  readonly #storage: ItemStorage;
  readonly #index: QueueIndex;
  readonly #needs: Needs;
  readonly #wake: () => void;
  #bytes = 0;

  constructor(
    stored: readonly Dead[],
    limits: QueueLimits,
    storage: ItemStorage,
    index: QueueIndex,
    needs: Needs,
    wake: () => void,
  ) {
    this.#limits = limits;
    this.#storage = storage;
    this.#index = index;
    this.#needs = needs;
    this.#wake = wake;
    for (const dead of stored) this.#put(dead);
  }

  all(): Iterable<Dead> {
    return this.#dead.values();
  }

  async list(limit: number, after?: string): Promise<readonly DeadLetter[]> {
    const behind = Number(after ?? 0) || 0;
    return [...this.#dead.values()]
      .filter(({ id }) => id > behind)
      .sort((a, b) => a.id - b.id)
      .slice(0, Math.min(1_000, Math.max(1, limit)))
      .map((dead) => ({ ...dead, id: String(dead.id) }));
  }

  /** Writes the entry down as dead; the caller takes it from the index. */
  async bury({ id, lane, callId, bytes, attempt, addedAtMs }: Entry, why: string, added?: NewStored): Promise<void> {
    const buriedAtMs = this.#needs.clock.now();
    const dead: Dead = { id, lane, callId, why, attempts: attempt, addedAtMs, buriedAtMs, bytes };
    const dropped = this.#tooMany(bytes);
    await this.#storage.bury(dead, dropped, added);
    for (const old of dropped) this.#forget(old);
    if (dropped.length > 0) {
      this.#needs.log.warn({ dropped: dropped.length }, 'the oldest dead letters made room for newer ones');
    }
    this.#put(dead);
  }

  async replay(id: string): Promise<void> {
    const dead = this.#find(id);
    this.#index.reserve(dead.lane, dead.bytes);
    const addedAtMs = this.#needs.clock.now();
    this.#forget(dead.id);
    try {
      await this.#storage.replay(dead.id, addedAtMs);
    } catch (error) {
      this.#index.release(dead.lane, dead.bytes);
      this.#put(dead);
      throw error;
    }
    const { lane, callId, bytes } = dead;
    this.#index.put({ id: dead.id, lane, callId, bytes, addedAtMs, attempt: 0, state: 'waiting', untilMs: 0 });
    this.#wake();
  }

  async drop(id: string): Promise<void> {
    const dead = this.#find(id);
    this.#forget(dead.id);
    await this.#storage.remove([dead.id]);
  }

  #find(id: string): Dead {
    const dead = this.#dead.get(Number(id));
    if (dead === undefined || String(dead.id) !== id) throw notFound(id);
    return dead;
  }

  #tooMany(bytes: number): readonly number[] {
    const dropped: number[] = [];
    let [items, total] = [this.#dead.size + 1, this.#bytes + bytes];
    for (const old of this.#dead.values()) {
      if (items <= this.#limits.items && total <= this.#limits.bytes) break;
      dropped.push(old.id);
      items--;
      total -= old.bytes;
    }
    return dropped;
  }

  #put(dead: Dead): void {
    this.#dead.set(dead.id, dead);
    this.#bytes += dead.bytes;
  }

  #forget(id: number): void {
    this.#bytes -= this.#dead.get(id)?.bytes ?? 0;
    this.#dead.delete(id);
  }
}
