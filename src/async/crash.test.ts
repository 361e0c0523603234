import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqliteQueue, queueMigrations } from '../queues/embedded/sqlite-queue.ts';
import { systemClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { openDatabase } from '../std/sqlite.ts';
import { silentLog } from '../telemetry/log.ts';
import { asyncInvoker } from './async-invoker.ts';
import { gatewayInvoker } from './gateway-invoker.ts';
import { TestServer } from './http-servers.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-async-'));
const file = join(folder, 'node.db');
const gateway = new TestServer();

beforeAll(() => gateway.start());

afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('kill -9', () => {
  const seed = Date.now() % 1_000_000;

  it(
    `loses no call that was answered with 202, and makes each at least once (seed ${seed})`,
    { timeout: 180_000 },
    async () => {
      const random = seeded(seed);
      // Some calls are refused on the way, so that some wait for another attempt when the process dies.
      gateway.answer = () => (random() < 0.2 ? { status: 503, headers: { 'X-Skein-Reason': 'full' } } : {});
      const accepted: string[] = [];
      for (let round = 0; round < 5; round++) {
        accepted.push(...(await killedAfter(round, 1 + Math.floor(random() * 150))));
      }
      gateway.answer = () => ({});
      await makeTheRest();
      const made = new Set(gateway.received.map(({ body }) => body.split(' ')[0] ?? ''));
      expect(accepted.length).toBeGreaterThan(0);
      expect(accepted.filter((callId) => !made.has(callId))).toEqual([]);
      // The bodies came whole: each is its id and as many letters as its number says.
      expect(gateway.received.every(({ body }) => /^\d+-\d+ x+$/.test(body))).toBe(true);
    },
  );
});

/** Runs the child and kills it once it accepted so many calls; gives all it accepted until it was dead. */
const killedAfter = (round: number, calls: number): Promise<readonly string[]> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('./crash-child.fixture.ts', import.meta.url));
    const child = spawn(process.execPath, [script, file, gateway.url, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.split('\n').length > calls) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (_, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error('the child ended by itself'));
      resolve(output.split('\n').slice(0, -1));
    });
  });

/** What the dead left, by a process that lives until the queue is empty. */
const makeTheRest = async (): Promise<void> => {
  const database = await openDatabase(file, queueMigrations);
  const queue = await openSqliteQueue(database, { clock: systemClock, log: silentLog });
  const caller = gatewayInvoker(gateway.url);
  const needs = {
    queue,
    labels: () => ({}),
    invoke: caller.invoke,
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
  };
  const invoker = asyncInvoker(needs, { concurrency: 30 });
  invoker.start();
  while ((await queue.stats()).some(({ waiting, running }) => waiting + running > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await invoker.dead.list(1)).toEqual([]);
  await invoker.stop(0);
  await queue.close();
  await database.close();
  await caller.close();
};
