import type { DeadLetter, QueueItem } from './queue.ts';
import type { Entry } from './queue-index.ts';

/** Where a queue of one process keeps its items. Every method resolves when it is durable; each call is one step, all or nothing. */
export interface ItemStorage {
  load(): Promise<StoredItems>;
  insert(items: readonly NewStored[]): Promise<void>;
  /** Notes the attempt and gives the content. */
  attempt(id: number, attempt: number): Promise<Content>;
  delay(id: number, untilMs: number): Promise<void>;
  /** `added` is inserted in the same step. */
  remove(ids: readonly number[], added?: NewStored): Promise<void>;
  /** Also removes `dropped`. */
  bury(dead: Dead, dropped: readonly number[], added?: NewStored): Promise<void>;
  replay(id: number, atMs: number): Promise<void>;
  close(): Promise<void>;
}

export type StoredItems = {
  /** In the order of their ids. `dueAtMs` is since the epoch. */
  readonly items: readonly (Omit<Entry, 'state' | 'untilMs'> & { readonly dueAtMs: number })[];
  readonly dead: readonly Dead[];
  /** The largest id ever given. */
  readonly lastId: number;
};

export type NewStored = { readonly id: number; readonly addedAtMs: number; readonly item: QueueItem };
export type Content = Pick<QueueItem, 'meta' | 'body'>;

export type Dead = Omit<DeadLetter, 'id'> & { readonly id: number };
