import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * An SQLite file with one writer: a thread of its own, so that waiting for the disk never holds up anything else. Everything asked
 * while a commit runs shares the next one, and is answered once that is on the disk (WAL, full sync). Parts of
 * a program share one file by sharing one `Database`; each has its own tables.
 */
export interface Database {
  /** One statement. Resolves when it is durable. */
  run(sql: string, ...params: readonly SqlValue[]): Promise<void>;
  /** Several, all or none. Resolves when they are durable. */
  transaction(statements: readonly Statement[]): Promise<void>;
  /** Rows, after everything asked before. */
  all<Row extends SqlRow>(sql: string, ...params: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Finishes what was asked and closes the file. Safe to repeat. */
  close(): Promise<void>;
}

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = { readonly [column: string]: SqlValue };
export type Statement = { readonly sql: string; readonly params: readonly SqlValue[] };

export type SqliteProblem =
  /** The file was written by a later version of the program: its `user_version` is above the number of migrations. */
  | 'newer'
  /** The file is damaged, or no database. */
  | 'corrupt'
  /** Another process has it open. */
  | 'in-use'
  /** More than `maxWaiting` jobs wait for the disk. */
  | 'busy'
  | 'closed'
  | 'failed';

export class SqliteError extends Error {
  readonly problem: SqliteProblem;

  constructor(problem: SqliteProblem, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'SqliteError';
    this.problem = problem;
  }
}

/** What the thread is told: a batch is one commit. */
export type Job =
  | { readonly kind: 'write'; readonly statements: readonly Statement[] }
  | { readonly kind: 'read'; readonly statement: Statement };

export type Request = { readonly kind: 'batch'; readonly jobs: readonly Job[] } | { readonly kind: 'close' };

export type Failure = { readonly problem: SqliteProblem; readonly message: string };

export type JobResult = { readonly ok: true; readonly rows: readonly SqlRow[] } | ({ readonly ok: false } & Failure);

export type Reply =
  | { readonly kind: 'opened' }
  | ({ readonly kind: 'refused' } & Failure)
  | { readonly kind: 'done'; readonly results: readonly JobResult[] }
  | { readonly kind: 'closed' };

export type WorkerInput = { readonly file: string; readonly migrations: readonly string[] };

/**
 * Opens `file`, made with mode 0600 if it is not there, and brings it up to date: `migrations[n]` (SQL, several statements) leads
 * from `user_version` n to n + 1, so a migration that was ever released is never changed. Rejects with an
 * `SqliteError`: `newer`, `corrupt`, `in-use` or `failed`.
 */
export const openDatabase = (file: string, migrations: readonly string[]): Promise<Database> =>
  ThreadDatabase.open({ file, migrations });

const maxWaiting = 10_000;
const maxBatch = 1_000;

type Waiting = {
  readonly job: Job;
  readonly resolve: (rows: readonly SqlRow[]) => void;
  readonly reject: (error: SqliteError) => void;
};

class ThreadDatabase implements Database {
  readonly #worker: Worker;
  #waiting: Waiting[] = [];
  #running: readonly Waiting[] = [];
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #fault: SqliteError | undefined;
  #closed: Promise<void> | undefined;
  readonly #opened = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();

  static async open(input: WorkerInput): Promise<Database> {
    const database = new ThreadDatabase(input);
    await database.#opened.promise;
    return database;
  }

  private constructor(input: WorkerInput) {
    // The same extension as this file: .ts in a checkout, .js once packed.
    const url = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(url, { workerData: input });
    this.#worker.on('message', (reply: Reply) => this.#replied(reply));
    this.#worker.on('error', (cause) => this.#fail('failed', `The database thread broke: ${cause.message}`, cause));
    this.#worker.on('exit', () => {
      this.#fail('closed', 'The database is closed.');
      this.#exited.resolve();
    });
  }

  async run(sql: string, ...params: readonly SqlValue[]): Promise<void> {
    await this.transaction([{ sql, params }]);
  }

  async transaction(statements: readonly Statement[]): Promise<void> {
    await this.#ask({ kind: 'write', statements });
  }

  async all<Row extends SqlRow>(sql: string, ...params: readonly SqlValue[]): Promise<readonly Row[]> {
    return (await this.#ask({ kind: 'read', statement: { sql, params } })) as readonly Row[];
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#worker.ref();
    this.#next();
    await this.#exited.promise;
  }

  #ask(job: Job): Promise<readonly SqlRow[]> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    if (this.#state === 'closed') return Promise.reject(new SqliteError('closed', 'The database is closed.'));
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new SqliteError('busy', `More than ${maxWaiting} writes wait for the disk; try again later.`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  /** Sends what waits, unless a commit runs: what comes in the meantime goes together in the next. */
  #next(): void {
    if (this.#running.length > 0 || this.#fault !== undefined) return;
    if (this.#waiting.length === 0) {
      // An idle database keeps no process alive.
      if (this.#state === 'closed') this.#post({ kind: 'close' });
      else this.#worker.unref();
      return;
    }
    this.#running = this.#waiting.splice(0, maxBatch);
    this.#worker.ref();
    this.#post({ kind: 'batch', jobs: this.#running.map(({ job }) => job) });
  }

  #post(request: Request): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(request);
  }

  #replied(reply: Reply): void {
    switch (reply.kind) {
      case 'opened':
        this.#state = 'open';
        this.#opened.resolve();
        this.#next();
        return;
      case 'refused':
        this.#fail(reply.problem, reply.message);
        return;
      case 'done':
        this.#settle(reply.results);
        return;
      case 'closed':
        return;
    }
  }

  #settle(results: readonly JobResult[]): void {
    const settled = this.#running;
    this.#running = [];
    for (const [index, { resolve, reject }] of settled.entries()) {
      const result = results[index];
      if (result === undefined) reject(new SqliteError('failed', 'The database thread gave no answer.'));
      else if (result.ok) resolve(result.rows);
      else reject(new SqliteError(result.problem, result.message));
    }
    this.#next();
  }

  #fail(problem: SqliteProblem, message: string, cause?: unknown): void {
    this.#fault ??= new SqliteError(problem, message, { cause });
    this.#opened.reject(this.#fault);
    for (const { reject } of [...this.#running, ...this.#waiting]) reject(this.#fault);
    this.#running = [];
    this.#waiting = [];
  }
}
