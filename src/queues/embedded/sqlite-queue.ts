import { SkeinError } from '../../domain/errors.ts';
import { SqliteError, type Database, type SqlRow, type Statement } from '../../std/sqlite.ts';
import { sizeOf } from '../check-item.ts';
import { defaultLimits, type Queue, type QueueLimits } from '../queue.ts';
import type { Content, ItemStorage, NewStored, StoredItems } from '../item-storage.ts';
import { StoredQueue, type StoredQueueNeeds } from '../stored-queue.ts';

/**
 * The queue's part of a node's schema, for `openDatabase`. Released migrations are never changed; new ones are added.
 * Bodies lie apart, so that noting an attempt does not write them again.
 */
export const queueMigrations: readonly string[] = [
  `CREATE TABLE queue (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     lane TEXT NOT NULL, call_id TEXT NOT NULL, bytes INTEGER NOT NULL,
     added_at REAL NOT NULL, due_at REAL NOT NULL, attempt INTEGER NOT NULL,
     buried_at REAL, why TEXT
   );
   CREATE TABLE queue_content (id INTEGER PRIMARY KEY, meta TEXT NOT NULL, body BLOB NOT NULL)`,
];

/** In a node's database, which may be shared and is closed by whoever opened it. */
export const openSqliteQueue = (
  database: Database,
  needs: StoredQueueNeeds,
  limits: Partial<QueueLimits> = {},
): Promise<Queue> => StoredQueue.open(new SqliteStorage(database), { ...defaultLimits, ...limits }, needs);

class SqliteStorage implements ItemStorage {
  readonly #database: Database;
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<StoredItems> {
    const [rows, sequence] = await translated(
      Promise.all([
        this.#database.all<ItemRow>('SELECT * FROM queue ORDER BY buried_at, id'),
        this.#database.all<SequenceRow>(`SELECT seq FROM sqlite_sequence WHERE name = 'queue'`),
      ]),
    );
    return {
      items: rows.filter(({ buried_at }) => buried_at === null).map(toItem),
      dead: rows.filter(({ buried_at }) => buried_at !== null).map(toDead),
      lastId: sequence[0]?.seq ?? 0,
    };
  }

  insert(items: readonly NewStored[]): Promise<void> {
    return this.#write(items.flatMap(inserts));
  }

  async attempt(id: number, attempt: number): Promise<Content> {
    const noted = this.#write([{ sql: 'UPDATE queue SET attempt = ? WHERE id = ?', params: [attempt, id] }]);
    const read = this.#database.all<ContentRow>('SELECT meta, body FROM queue_content WHERE id = ?', id);
    const [, [content]] = await Promise.all([noted, translated(read)]);
    if (content === undefined) throw new SkeinError('internal', `The queue's item ${id} has lost its content.`);
    return { meta: content.meta, body: content.body };
  }

  delay(id: number, untilMs: number): Promise<void> {
    return this.#write([{ sql: 'UPDATE queue SET due_at = ? WHERE id = ?', params: [untilMs, id] }]);
  }

  remove(ids: readonly number[], added?: NewStored): Promise<void> {
    return this.#write([...ids.flatMap(deletes), ...optional(added)]);
  }

  bury(dead: Parameters<ItemStorage['bury']>[0], dropped: readonly number[], added?: NewStored): Promise<void> {
    return this.#write([
      { sql: 'UPDATE queue SET buried_at = ?, why = ? WHERE id = ?', params: [dead.buriedAtMs, dead.why, dead.id] },
      ...dropped.flatMap(deletes),
      ...optional(added),
    ]);
  }

  replay(id: number, atMs: number): Promise<void> {
    return this.#write([
      {
        sql: 'UPDATE queue SET buried_at = NULL, why = NULL, attempt = 0, added_at = ?, due_at = ? WHERE id = ?',
        params: [atMs, atMs, id],
      },
    ]);
  }

  async close(): Promise<void> {
    await this.#last;
  }

  #write(statements: readonly Statement[]): Promise<void> {
    const done = translated(this.#database.transaction(statements));
    this.#last = Promise.allSettled([this.#last, done]);
    return done;
  }
}

type ItemRow = SqlRow & { readonly id: number; readonly lane: string; readonly call_id: string } & {
  readonly bytes: number;
  readonly added_at: number;
  readonly due_at: number;
  readonly attempt: number;
  readonly buried_at: number | null;
  readonly why: string | null;
};
type SequenceRow = SqlRow & { readonly seq: number };
type ContentRow = SqlRow & { readonly meta: string; readonly body: Uint8Array };

const toItem = (row: ItemRow): StoredItems['items'][number] => ({
  id: row.id,
  lane: row.lane,
  callId: row.call_id,
  bytes: row.bytes,
  addedAtMs: row.added_at,
  dueAtMs: row.due_at,
  attempt: row.attempt,
});

const toDead = (row: ItemRow): StoredItems['dead'][number] => ({
  id: row.id,
  lane: row.lane,
  callId: row.call_id,
  why: row.why ?? '',
  attempts: row.attempt,
  addedAtMs: row.added_at,
  buriedAtMs: row.buried_at ?? 0,
  bytes: row.bytes,
});

const inserts = ({ id, addedAtMs, item }: NewStored): readonly Statement[] => [
  {
    sql: 'INSERT INTO queue (id, lane, call_id, bytes, added_at, due_at, attempt) VALUES (?, ?, ?, ?, ?, ?, 0)',
    params: [id, item.lane, item.callId, sizeOf(item), addedAtMs, addedAtMs],
  },
  { sql: 'INSERT INTO queue_content (id, meta, body) VALUES (?, ?, ?)', params: [id, item.meta, item.body] },
];

const deletes = (id: number): readonly Statement[] => [
  { sql: 'DELETE FROM queue WHERE id = ?', params: [id] },
  { sql: 'DELETE FROM queue_content WHERE id = ?', params: [id] },
];

const optional = (added: NewStored | undefined): readonly Statement[] => (added === undefined ? [] : inserts(added));

const translated = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    throw new SkeinError('unavailable', `The queue could not be stored: ${error.message}`, { cause: error });
  }
};
