import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Failure, Job, JobResult, Reply, Request, Statement, WorkerInput } from './sqlite.ts';

/** The thread behind `openDatabase`. Commits a batch at a time; a job that fails undoes only itself. */

const input = workerData as WorkerInput;
const port = parentPort;
if (port === null) throw new Error('This file is the thread behind openDatabase; it does not run alone.');

const reply = (message: Reply): void => port.postMessage(message);

const open = (): DatabaseSync => {
  closeSync(openSync(input.file, 'a', 0o600));
  const database = new DatabaseSync(input.file, { timeout: 2_000 });
  // Exclusive: two programs that both believe this is theirs would undo each other's work.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec('BEGIN IMMEDIATE; COMMIT');
  check(database);
  migrate(database);
  return database;
};

const check = (database: DatabaseSync): void => {
  const [row] = database.prepare('PRAGMA quick_check(1)').all();
  const verdict = row?.['quick_check'];
  if (verdict !== 'ok') throw new Refusal('corrupt', damaged(String(verdict)));
};

const migrate = (database: DatabaseSync): void => {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  const known = input.migrations.length;
  if (version > known) {
    throw new Refusal(
      'newer',
      `${input.file} was written by a later version of this program (schema ${version}, this one knows ${known}). Upgrade, or use another data folder.`,
    );
  }
  for (const [index, sql] of input.migrations.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
};

class Refusal extends Error {
  readonly problem: Failure['problem'];

  constructor(problem: Failure['problem'], message: string) {
    super(message);
    this.problem = problem;
  }
}

const damaged = (why: string): string =>
  `${input.file} is damaged (${why}). Move it away and restore a backup, or start without it and the rest of the federation fills it again.`;

const failure = (error: unknown): Failure => {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Refusal) return { problem: error.problem, message };
  // SQLite's primary result codes: 5 busy, 6 locked, 11 corrupt, 26 not a database.
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  if (code === 11 || code === 26) return { problem: 'corrupt', message: damaged(message) };
  if (code === 5 || code === 6) {
    return { problem: 'in-use', message: `${input.file} is in use by another process; stop that one first.` };
  }
  return { problem: 'failed', message: `${input.file}: ${message}` };
};

const prepared = new Map<string, StatementSync>();
const maxPrepared = 200;

const prepare = (database: DatabaseSync, sql: string): StatementSync => {
  const known = prepared.get(sql);
  if (known !== undefined) return known;
  if (prepared.size >= maxPrepared) prepared.clear();
  const made = database.prepare(sql);
  prepared.set(sql, made);
  return made;
};

const run = (database: DatabaseSync, { sql, params }: Statement): void => {
  prepare(database, sql).run(...params);
};

const perform = (database: DatabaseSync, job: Job): JobResult => {
  if (job.kind === 'read') {
    const { sql, params } = job.statement;
    const rows = prepare(database, sql).all(...params);
    return { ok: true, rows: rows as Extract<JobResult, { ok: true }>['rows'] };
  }
  database.exec('SAVEPOINT job');
  try {
    for (const statement of job.statements) run(database, statement);
  } catch (error) {
    // A full disk may have ended the whole transaction already; then the batch fails below.
    if (database.isTransaction) database.exec('ROLLBACK TO job; RELEASE job');
    throw error;
  }
  database.exec('RELEASE job');
  return { ok: true, rows: [] };
};

const attempt = (database: DatabaseSync, job: Job): JobResult => {
  try {
    return perform(database, job);
  } catch (error) {
    if (!database.isTransaction) throw error;
    return { ok: false, ...failure(error) };
  }
};

const commit = (database: DatabaseSync, jobs: readonly Job[]): readonly JobResult[] => {
  try {
    database.exec('BEGIN IMMEDIATE');
    const results = jobs.map((job) => attempt(database, job));
    database.exec('COMMIT');
    return results;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    return jobs.map(() => ({ ok: false, ...failure(error) }));
  }
};

const serve = (database: DatabaseSync): void => {
  port.on('message', (request: Request) => {
    if (request.kind === 'batch') {
      reply({ kind: 'done', results: commit(database, request.jobs) });
      return;
    }
    database.close();
    reply({ kind: 'closed' });
    port.close();
  });
  reply({ kind: 'opened' });
};

const start = (): void => {
  let database: DatabaseSync;
  try {
    database = open();
  } catch (error) {
    reply({ kind: 'refused', ...failure(error) });
    port.close();
    return;
  }
  serve(database);
};

start();
