import { appendFile, mkdtemp, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { boundLog } from './log-cut.ts';
import { lastLines, logFile, pruneLogs } from './replica-logs.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-logs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

it.each([600_000, 5_000_000])(
  'keeps the end of a log that grew to %i bytes while its writer goes on',
  async (bytes) => {
    const path = logFile(folder, 'r1');
    const writer = await open(path, 'a');
    await writer.write(`${'x'.repeat(bytes)}\nlast\n`);
    await boundLog(path, 0);
    await writer.write('next\n');
    await writer.close();
    expect(await readFile(path, 'utf8')).toBe('next\n');
    expect((await readFile(`${path}.1`, 'utf8')).endsWith('x\nlast\n')).toBe(true);
    expect((await sizeOf(path)) + (await sizeOf(`${path}.1`))).toBeLessThanOrEqual(1024 * 1024 + 10);
  },
);

it('keeps whole lines of a log that ran far ahead, and of one that was cut in the midst of a line', async () => {
  const path = logFile(folder, 'r1');
  const kept = async (): Promise<ReadonlySet<string>> => new Set((await readFile(`${path}.1`, 'utf8')).split('\n'));
  const line = 'x'.repeat(999);
  const lines = `${line}\n`.repeat(600);
  for (const written of [`${line}\n`.repeat(1_500), lines.slice(0, -10), lines.slice(-590_010), lines]) {
    await appendFile(path, written);
    await boundLog(path, 0);
    expect(await kept()).toEqual(new Set([line, '']));
  }
});

it('is cut once by two that find it full at the same time', async () => {
  const path = logFile(folder, 'r1');
  await appendFile(path, `${'x'.repeat(599_999)}\n`);
  await Promise.all([boundLog(path, 0), boundLog(path, 0)]);
  expect([await sizeOf(`${path}.1`), await sizeOf(path)]).toEqual([600_000, 0]);
});

it('leaves a short log, and one that is not there, alone', async () => {
  const path = logFile(folder, 'r1');
  await writeFile(path, 'short\n');
  await boundLog(path, 0);
  await boundLog(logFile(folder, 'r2'), 0);
  expect(await readdir(folder)).toEqual(['r1.log']);
});

it('keeps the logs of those that live and of the five that ended last', async () => {
  for (let index = 0; index < 8; index++) {
    const path = logFile(folder, `r${index}`);
    await appendFile(path, 'x');
    await utimes(path, index, index);
  }
  for (const name of ['1', '1.start', '1.times']) await appendFile(`${logFile(folder, 'r1')}.${name}`, 'x');
  await pruneLogs(folder, new Set(['r0']));
  expect((await readdir(folder)).sort()).toEqual(['r0.log', 'r3.log', 'r4.log', 'r5.log', 'r6.log', 'r7.log']);
});

it('tells the last lines without their times and stack frames', async () => {
  const path = logFile(folder, 'r1');
  const frames = '    at async loadHandler (file:///a/load.js:12:19)\n    at node:internal/modules/esm/loader:647:26\n';
  await writeFile(path, `2026-01-01T00:00:00.000Z one\n2026-01-01T00:00:00.001Z   two\n\nthree\n${frames}`);
  expect(await lastLines(path, 2)).toBe('two | three');
  expect(await lastLines(join(folder, 'none'))).toBe('');
});
