import { mkdtemp, readFile, rm, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { boundFile } from './bounded-file.ts';

test('a long log is put aside and begins anew; a short or missing one is left alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-log-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'x.log');
  await boundFile(file, 10);
  await writeFile(file, 'short\n');
  await boundFile(file, 10);
  expect(await readFile(file, 'utf8')).toBe('short\n');
  await appendFile(file, 'and longer\n');
  await boundFile(file, 10);
  expect(await readFile(file, 'utf8')).toBe('');
  expect(await readFile(`${file}.1`, 'utf8')).toBe('short\nand longer\n');
});
