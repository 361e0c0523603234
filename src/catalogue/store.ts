import type { CatalogueRecord } from './record.ts';
import type { SyncPoints } from './standing.ts';

/** Where a node keeps its catalogue. Everything resolved is on the disk, whatever happens next. */
export interface CatalogueStore {
  /** What was stored. Once, before anything else. */
  load(): Promise<Stored>;
  /**
   * Puts `records` in place of what their keys held, and removes `forgotten` keys, all or nothing. Calls take effect in the order they
   * are made. `unavailable` when the disk refuses.
   */
  append(records: readonly CatalogueRecord[], forgotten?: readonly string[]): Promise<void>;
  /** Replaces what `load` gives as `points`. */
  savePoints(points: SyncPoints): Promise<void>;
  /** Resolves when everything appended is stored. */
  close(): Promise<void>;
}

export type Stored = {
  readonly records: readonly CatalogueRecord[];
  /** The largest counter of any record ever appended, also of forgotten ones. */
  readonly counter: number;
  readonly points: SyncPoints;
};

/** Keeps nothing beyond its own life; `load` gives what was appended, so that a restart can be played. */
export class MemoryCatalogueStore implements CatalogueStore {
  readonly #records = new Map<string, CatalogueRecord>();
  #counter = 0;
  #points: SyncPoints = new Map();

  async load(): Promise<Stored> {
    return { records: [...this.#records.values()], counter: this.#counter, points: this.#points };
  }

  async append(records: readonly CatalogueRecord[], forgotten: readonly string[] = []): Promise<void> {
    for (const record of records) {
      this.#records.set(record.key, record);
      this.#counter = Math.max(this.#counter, record.version.counter);
    }
    for (const key of forgotten) this.#records.delete(key);
  }

  async savePoints(points: SyncPoints): Promise<void> {
    this.#points = points;
  }

  async close(): Promise<void> {}
}
