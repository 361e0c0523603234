import { collect, empty, merge, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';
import { adoptTruth, type Adopted, type SyncPoint, type SyncPoints } from './standing.ts';
import type { CatalogueStore } from './store.ts';

/** Batches from elsewhere that may wait for the disk. */
const maxStoring = 1000;

/**
 * A catalogue state and its store, in step. `head` is ahead by what is being stored: the next version and conditions are judged by
 * it. `stored` is what others may see. Methods that change something do so to `head` at once, and resolve when it is stored.
 */
export class DurableState {
  readonly #store: CatalogueStore;
  readonly #storing = new Set<readonly CatalogueRecord[]>();
  #head: CatalogueState = empty;
  #stored: CatalogueState = empty;
  #adopting = false;

  constructor(store: CatalogueStore) {
    this.#store = store;
  }

  get head(): CatalogueState {
    return this.#head;
  }

  get stored(): CatalogueState {
    return this.#stored;
  }

  async load(): Promise<SyncPoints> {
    const { records, counter, points } = await this.#store.load();
    // With the stored counter, for what was accepted once is accepted again, however far ahead it was then.
    this.#head = this.#stored = merge({ records: new Map(), counter }, records).state;
    return points;
  }

  /** A write of our own: `state` follows from `head` by `record`. */
  async write(state: CatalogueState, record: CatalogueRecord): Promise<void> {
    this.#head = state;
    await this.#append([record]);
  }

  /** What is newer of `records`. Too many at once are left; they come again with the next digest. */
  async take(
    records: readonly CatalogueRecord[],
  ): Promise<{ readonly changed: readonly CatalogueRecord[]; readonly refused: number }> {
    if (this.#storing.size >= maxStoring || this.#adopting) return { changed: [], refused: 0 };
    const { state, changed, refused } = merge(this.#head, records);
    this.#head = state;
    if (changed.length > 0) await this.#append(changed);
    return { changed, refused };
  }

  /** `adoptTruth`; undefined when something is half done, to be tried again. */
  async adopt(truth: CatalogueState, since: SyncPoint, now: number): Promise<Adopted | undefined> {
    if (this.#storing.size > 0 || this.#adopting) return undefined;
    const before = this.#stored.records;
    const adopted = adoptTruth(this.#head, truth, since, now);
    this.#head = adopted.state;
    this.#adopting = true;
    try {
      await this.#store.append(adopted.changed, adopted.dropped);
    } catch (error) {
      this.#undo();
      throw error;
    } finally {
      this.#adopting = false;
    }
    const meanwhile = [...this.#stored.records.values()].filter((record) => before.get(record.key) !== record);
    this.#stored = merge(adopted.state, meanwhile).state;
    return adopted;
  }

  /** Forgets old tombstones, unless something is half done. */
  async collect(now: number): Promise<void> {
    if (this.#storing.size > 0 || this.#adopting) return;
    const { state, collected } = collect(this.#stored, now);
    if (collected.length === 0) return;
    this.#head = { records: state.records, counter: this.#head.counter };
    this.#stored = state;
    await this.#store.append([], collected);
  }

  async #append(records: readonly CatalogueRecord[]): Promise<void> {
    this.#storing.add(records);
    try {
      await this.#store.append(records);
    } catch (error) {
      this.#storing.delete(records);
      this.#undo();
      throw error;
    }
    this.#storing.delete(records);
    this.#stored = merge(this.#stored, records).state;
  }

  /** What could not be stored never was; its version numbers stay used. */
  #undo(): void {
    const { counter } = this.#head;
    const { records } = merge(this.#stored, [...this.#storing].flat()).state;
    this.#head = { records, counter };
  }
}
