import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Digest } from '../../domain/ids.ts';
import { identify, isAlive } from '../../std/process-identity.ts';
import { Ledger, type LedgerEntry } from './ledger.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-ledger-'));
});
afterEach(() => rm(folder, { recursive: true }));

const entry = (id: string): LedgerEntry => ({
  id,
  process: { pid: 1, startTime: '7' },
  address: { kind: 'unix', path: `/run/${id}` },
  mode: 'node',
  spec: {
    ref: { name: 'fn', namespace: 'openfaas-fn' },
    revision: '1',
    digest: `sha256:${'0'.repeat(64)}` as Digest,
    deployment: { service: 'fn', image: 'fn:1' },
  },
});

it('has what was put and not removed, for the next one who opens it', async () => {
  const ledger = await Ledger.open(folder);
  await Promise.all(Array.from({ length: 20 }, (_, index) => ledger.put(entry(`r${index}`))));
  await ledger.remove('r3');
  const next = await Ledger.open(folder);
  expect(next.entries()).toEqual(ledger.entries());
  expect(next.entries()).toHaveLength(19);
});

it('has an entry on disk once put resolved, whatever else is being written', async () => {
  const ledger = await Ledger.open(folder);
  const others = [ledger.put(entry('r1')), ledger.put(entry('r2'))];
  await ledger.put(entry('r3'));
  expect((await Ledger.open(folder)).entries().map(({ id }) => id)).toContain('r3');
  await Promise.all(others);
});

it('is for its user only', async () => {
  await (await Ledger.open(folder)).put(entry('r1'));
  expect((await stat(join(folder, 'ledger.json'))).mode & 0o777).toBe(0o600);
});

it.each(['', '{', '[]', '{"version":2}'])('begins empty when the file is %j', async (text) => {
  await writeFile(join(folder, 'ledger.json'), text);
  expect((await Ledger.open(folder)).entries()).toEqual([]);
});

it('forgets what ran before the machine was started', async () => {
  await (await Ledger.open(folder)).put(entry('r1'));
  const path = join(folder, 'ledger.json');
  const content = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...content, bootId: 'another' }));
  expect((await Ledger.open(folder)).entries()).toEqual([]);
});

it('tells a process from a later one with the same pid', () => {
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this process exists');
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTime: '1' })).toBe(false);
  expect(identify(0x7fff_fff0)).toBeUndefined();
});
