import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDataFolder } from './data-folder.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-data-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test('makes all that is missing, for this user alone, and leaves what is there', () => {
  makeDataFolder(join(folder, 'a/b/c'));
  makeDataFolder(join(folder, 'a/b/c'));
  expect(statSync(join(folder, 'a/b/c')).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
});

test('says where it cannot be made', () => {
  writeFileSync(join(folder, 'file'), '');
  for (const wrong of ['file', 'file/below']) {
    expect(() => makeDataFolder(join(folder, wrong))).toThrow(/^the data folder .*file.* cannot be made: /);
  }
});

test.runIf(process.platform === 'linux')('does not try for ever where nothing can be made', () => {
  expect(() => makeDataFolder('/proc/skein/node')).toThrow(/cannot be made/);
});
