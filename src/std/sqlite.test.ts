import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from './sqlite.ts';

const migrations = ['CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT UNIQUE)', 'ALTER TABLE t ADD COLUMN y TEXT'];

let folder: string;
let file: string;
const open: Database[] = [];

const opened = async (list: readonly string[] = migrations): Promise<Database> => {
  const database = await openDatabase(file, list);
  open.push(database);
  return database;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-sqlite-'));
  file = join(folder, 'node.db');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()));
  rmSync(folder, { recursive: true, force: true });
});

describe('openDatabase', () => {
  it('makes a file that only its owner can read', async () => {
    const database = await opened();
    await database.run('INSERT INTO t (x) VALUES (?)', 'a');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
  });

  it('keeps what was written, over a close and an upgrade', async () => {
    const before = await opened(migrations.slice(0, 1));
    await before.run('INSERT INTO t (x) VALUES (?)', 'a');
    await before.close();
    const after = await opened();
    expect(await after.all('SELECT x, y FROM t')).toEqual([{ x: 'a', y: null }]);
  });

  it('leaves the file at the last migration that worked', async () => {
    await expect(openDatabase(file, [...migrations, 'CREATE TABLE broken (; '])).rejects.toMatchObject({
      problem: 'failed',
    });
    await opened();
  });

  it('refuses the file of a later version', async () => {
    await (await opened()).close();
    await expect(openDatabase(file, migrations.slice(0, 1))).rejects.toMatchObject({
      problem: 'newer',
      message: expect.stringMatching(/later version.*schema 2.*knows 1.*Upgrade/) as string,
    });
  });

  it('refuses what is no database, and says what to do', async () => {
    writeFileSync(file, 'this is not a database, but it is longer than a header of one. '.repeat(100));
    await expect(openDatabase(file, migrations)).rejects.toMatchObject({
      problem: 'corrupt',
      message: expect.stringMatching(/Move it away and restore a backup/) as string,
    });
  });

  it('refuses a damaged database', async () => {
    const database = await opened();
    for (let n = 0; n < 50; n++) await database.run('INSERT INTO t (x) VALUES (?)', `${n}`.repeat(500));
    await database.close();
    const { size } = statSync(file);
    const { openSync, writeSync, closeSync } = await import('node:fs');
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(size - 4096, 0xff), 0, size - 4096, 4096);
    closeSync(fd);
    await expect(openDatabase(file, migrations)).rejects.toMatchObject({ problem: 'corrupt' });
  });

  it('refuses a folder that is not there', async () => {
    await expect(openDatabase(join(folder, 'no', 'where.db'), migrations)).rejects.toMatchObject({
      problem: 'failed',
      message: expect.stringContaining('ENOENT') as string,
    });
  });

  it('refuses a file that another has open', async () => {
    await opened();
    await expect(openDatabase(file, migrations)).rejects.toMatchObject({
      problem: 'in-use',
      message: expect.stringContaining('in use by another process') as string,
    });
  });

  it('syncs every commit to the disk', async () => {
    const database = await opened();
    expect(await database.all('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
    expect(await database.all('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
  });
});

describe('Database', () => {
  it('does all of a transaction or nothing, and lets others of the same commit be', async () => {
    const database = await opened();
    const insert = (x: string): { sql: string; params: readonly string[] } => ({
      sql: 'INSERT INTO t (x) VALUES (?)',
      params: [x],
    });
    const results = await Promise.allSettled([
      database.transaction([insert('a')]),
      database.transaction([insert('b'), insert('a')]),
      database.transaction([insert('c')]),
      database.run('no sql at all'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(await database.all('SELECT x FROM t ORDER BY x')).toEqual([{ x: 'a' }, { x: 'c' }]);
  });

  it('reads what was asked to be written before', async () => {
    const database = await opened();
    const writes = Array.from({ length: 100 }, (_, n) => database.run('INSERT INTO t (x) VALUES (?)', `${n}`));
    expect(await database.all('SELECT count(*) AS n FROM t')).toEqual([{ n: 100 }]);
    await Promise.all(writes);
  });

  it('finishes what was asked before it closes, and takes nothing more', async () => {
    const database = await opened();
    const writes = Array.from({ length: 50 }, (_, n) => database.run('INSERT INTO t (x) VALUES (?)', `${n}`));
    await Promise.all([database.close(), database.close()]);
    await Promise.all(writes);
    await expect(database.run('SELECT 1')).rejects.toMatchObject({ problem: 'closed' });
    const plain = new DatabaseSync(file);
    expect(plain.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 50 });
    plain.close();
  });

  it('refuses work beyond its bound at once', async () => {
    const database = await opened();
    const results = await Promise.allSettled(
      Array.from({ length: 10_100 }, (_, n) => database.run('INSERT INTO t (x) VALUES (?)', `${n}`)),
    );
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(100);
    expect(refused[0]).toMatchObject({ reason: { problem: 'busy' } });
  });
});
