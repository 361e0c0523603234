import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { openDatabase, type Database } from '../std/sqlite.ts';
import { seeded } from '../std/random.ts';
import { catalogueMigrations, historyLength, SqliteCatalogueStore } from './sqlite-store.ts';
import { catalogueStoreConformance } from './store.conformance.ts';

let folder: string;
let database: Database | undefined;

const reopened = async (): Promise<Database> => {
  await database?.close();
  database = await openDatabase(join(folder, 'node.db'), catalogueMigrations);
  return database;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-catalogue-'));
});

afterEach(async () => {
  await database?.close();
  database = undefined;
  rmSync(folder, { recursive: true, force: true });
});

describe('SqliteCatalogueStore', () => {
  catalogueStoreConformance(
    () => undefined,
    async () => new SqliteCatalogueStore(await reopened()),
  );

  it('keeps a history of bounded length', async () => {
    const store = new SqliteCatalogueStore(await reopened());
    const records = Array.from({ length: historyLength + 500 }, (_, n) => ({
      key: `k${n % 10}`,
      version: { counter: n + 1, node: nodeId('n') },
      value: n,
      at: 1,
    }));
    await store.append(records.slice(0, 6_000));
    await store.append(records.slice(6_000));
    const [row] = await database!.all('SELECT count(*) AS n, max(counter) AS newest FROM history');
    expect(row).toEqual({ n: historyLength, newest: historyLength + 500 });
  });

  it('says in its own words that it cannot store', async () => {
    const store = new SqliteCatalogueStore(await reopened());
    await database!.close();
    const record = { key: 'a', version: { counter: 1, node: nodeId('n') }, value: 1, at: 1 };
    await expect(store.append([record])).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('kill -9', () => {
  const seed = Date.now() % 1_000_000;

  it(`loses nothing acknowledged (seed ${seed})`, { timeout: 180_000 }, async () => {
    const random = seeded(seed);
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 6; round++) {
      for (const [key, counter] of await killedAfter(String(round), 1 + Math.floor(random() * 300))) {
        acknowledged.set(key, counter);
      }
      const store = new SqliteCatalogueStore(await reopened());
      const { records, counter } = await store.load();
      const found = new Map(records.map(({ key, version }) => [key, version.counter]));
      for (const [key, counter] of acknowledged)
        expect(found.get(key), `${key}, seed ${seed}`).toBeGreaterThanOrEqual(counter);
      expect(counter).toBe(Math.max(...found.values()));
      await database!.close();
    }
    expect(acknowledged.size).toBeGreaterThan(0);
  });
});

/** Runs the writing child and kills it once it acknowledged `acks` writes; gives all it acknowledged until it was dead. */
const killedAfter = (round: string, acks: number): Promise<ReadonlyMap<string, number>> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('./crash-child.fixture.ts', import.meta.url));
    const child = spawn(process.execPath, [script, join(folder, 'node.db'), round], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.split('\n').length > acks) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (_, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error('the child ended by itself'));
      const lines = output.split('\n').slice(0, -1);
      resolve(new Map(lines.map((line) => line.split(' ')).map(([key = '', counter]) => [key, Number(counter)])));
    });
  });
