import { mkdtemp, readFile, rm, stat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { functionKey } from '../domain/ids.ts';
import { ManualClock } from '../std/clock.ts';
import { AccessLog } from './access-log.ts';
import type { CallRecord } from './call-record.ts';
import { silentLog, type LogFields } from './log.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-access-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record = (callId: string): CallRecord => ({
  callId,
  functionName: functionKey('echo'),
  method: 'GET',
  path: '/function/echo',
  status: 200,
  reason: undefined,
  from: '127.0.0.1',
  fromPeer: false,
  servedBy: 'node-1',
  startedAt: 0,
  waitMs: 0.12345,
  runMs: 1,
  durationMs: 1.12345,
  bytesIn: 0,
  bytesOut: 5,
  traceparentIn: undefined,
  traceparentOut: undefined,
});

const linesOf = async (file: string): Promise<{ callId: string; waitMs: number }[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { callId: string; waitMs: number });

it('writes lines together, in order, into a file of this user alone', async () => {
  const file = join(folder, 'access.log');
  const clock = new ManualClock();
  const log = new AccessLog(file, clock, silentLog);
  for (const id of ['one', 'two', 'three']) log.write(record(id));
  await expect(stat(file)).rejects.toThrow('ENOENT');
  clock.advance(200);
  await log.flush();
  expect((await linesOf(file)).map(({ callId }) => callId)).toEqual(['one', 'two', 'three']);
  expect((await linesOf(file))[0]?.waitMs).toBe(0.123);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('puts a long file aside, over the one before', async () => {
  const file = join(folder, 'access.log');
  const log = new AccessLog(file, new ManualClock(), silentLog, 100);
  for (const id of ['first', 'second', 'third']) {
    log.write(record(id));
    await log.flush();
  }
  expect(await linesOf(file)).toMatchObject([{ callId: 'third' }]);
  expect(await linesOf(`${file}.1`)).toMatchObject([{ callId: 'second' }]);
});

it('keeps a bound on what waits, and says how much is lost', async () => {
  const file = join(folder, 'access.log');
  const said: LogFields[] = [];
  const log = new AccessLog(file, new ManualClock(), { ...silentLog, warn: (fields) => void said.push(fields) });
  for (let index = 0; index < 40_000; index += 1) log.write(record(String(index)));
  await log.flush();
  const kept = (await linesOf(file)).length;
  expect((await stat(file)).size).toBeLessThan(5_000_000);
  expect(said).toEqual([{ lost: 40_000 - kept }]);
  log.write(record('after'));
  await log.flush();
  expect((await linesOf(file)).at(-1)).toMatchObject({ callId: 'after' });
});

it('says once that it cannot write, and goes on when it can', async () => {
  const file = join(folder, 'missing', 'access.log');
  let errors = 0;
  const log = new AccessLog(file, new ManualClock(), { ...silentLog, error: () => void (errors += 1) });
  for (const id of ['lost', 'lost too']) {
    log.write(record(id));
    await log.flush();
  }
  expect(errors).toBe(1);
  await mkdir(join(folder, 'missing'));
  log.write(record('kept'));
  await log.flush();
  expect(await linesOf(file)).toMatchObject([{ callId: 'kept' }]);
});
