import { SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { SqliteError, type Database, type SqlRow, type Statement } from '../std/sqlite.ts';
import type { CatalogueRecord } from './record.ts';
import type { SyncPoint, SyncPoints } from './standing.ts';
import type { CatalogueStore, Stored } from './store.ts';

/** The catalogue's part of a node's schema, for `openDatabase`. Released migrations are never changed; new ones are added. */
export const catalogueMigrations: readonly string[] = [
  `CREATE TABLE catalogue (
     key TEXT PRIMARY KEY, counter INTEGER NOT NULL, node TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE history (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     key TEXT NOT NULL, counter INTEGER NOT NULL, node TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL
   );
   CREATE TABLE catalogue_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE catalogue_sync (node TEXT PRIMARY KEY, at REAL NOT NULL, counter INTEGER NOT NULL) WITHOUT ROWID`,
];

/** How many past writes, local and remote, the history keeps. */
export const historyLength = 10_000;

/** In a node's database, which may be shared and is closed by whoever opened it. */
export class SqliteCatalogueStore implements CatalogueStore {
  readonly #database: Database;
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<Stored> {
    const [records, meta, points] = await translated(
      Promise.all([
        this.#database.all<RecordRow>('SELECT key, counter, node, value, at FROM catalogue'),
        this.#database.all<MetaRow>(`SELECT value FROM catalogue_meta WHERE name = 'counter'`),
        this.#database.all<PointRow>('SELECT node, at, counter FROM catalogue_sync'),
      ]),
    );
    return {
      records: records.map(fromRow),
      counter: meta[0]?.value ?? 0,
      points: new Map(points.map(({ node, at, counter }) => [node as NodeId, { at, counter }])),
    };
  }

  append(records: readonly CatalogueRecord[], forgotten: readonly string[] = []): Promise<void> {
    const statements = [...records.flatMap(writes), ...forgotten.map(forgetting), ...bookkeeping(records)];
    return this.#write(statements);
  }

  savePoints(points: SyncPoints): Promise<void> {
    return this.#write([
      { sql: 'DELETE FROM catalogue_sync', params: [] },
      ...[...points].map(([node, point]) => pointWrite(node, point)),
    ]);
  }

  async close(): Promise<void> {
    await this.#last;
  }

  #write(statements: readonly Statement[]): Promise<void> {
    if (statements.length === 0) return Promise.resolve();
    const done = translated(this.#database.transaction(statements));
    this.#last = Promise.allSettled([this.#last, done]);
    return done;
  }
}

type RecordRow = SqlRow & { readonly key: string; readonly counter: number; readonly node: string } & {
  readonly value: string;
  readonly at: number;
};
type MetaRow = SqlRow & { readonly value: number };
type PointRow = SqlRow & { readonly node: string; readonly at: number; readonly counter: number };

const fromRow = ({ key, counter, node, value, at }: RecordRow): CatalogueRecord => ({
  key,
  version: { counter, node: node as NodeId },
  value: JSON.parse(value) as unknown,
  at,
});

const writes = ({ key, version, value, at }: CatalogueRecord): readonly Statement[] => {
  const params = [key, version.counter, version.node, JSON.stringify(value), at];
  return [
    { sql: 'INSERT OR REPLACE INTO catalogue (key, counter, node, value, at) VALUES (?, ?, ?, ?, ?)', params },
    { sql: 'INSERT INTO history (key, counter, node, value, at) VALUES (?, ?, ?, ?, ?)', params },
  ];
};

const forgetting = (key: string): Statement => ({ sql: 'DELETE FROM catalogue WHERE key = ?', params: [key] });

const bookkeeping = (records: readonly CatalogueRecord[]): readonly Statement[] => {
  if (records.length === 0) return [];
  const counter = records.reduce((largest, { version }) => Math.max(largest, version.counter), 0);
  return [
    {
      sql: `INSERT INTO catalogue_meta (name, value) VALUES ('counter', ?)
            ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
      params: [counter],
    },
    { sql: 'DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?', params: [historyLength] },
  ];
};

const pointWrite = (node: NodeId, { at, counter }: SyncPoint): Statement => ({
  sql: 'INSERT INTO catalogue_sync (node, at, counter) VALUES (?, ?, ?)',
  params: [node, at, counter],
});

const translated = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    throw new SkeinError('unavailable', `The catalogue could not be stored: ${error.message}`, { cause: error });
  }
};
