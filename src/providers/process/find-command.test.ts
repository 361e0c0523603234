import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findCommand } from './find-command.ts';
import { startProgram } from './start-program.ts';

let folder: string;
let bundle: string;
/** The only folder on PATH. */
let shared: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-c-'));
  [bundle, shared] = [join(folder, 'bundle'), join(folder, 'shared')];
  await mkdir(bundle);
  await mkdir(shared);
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (path: string, content: string | Uint8Array, mode = 0o755): Promise<string> => {
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
};
const find = (name: string): Promise<string> => findCommand(name, bundle, shared);

it('is the bundle’s before that of the machine, and node the runtime’s own', async () => {
  const both = await write(join(shared, 'tool'), '#!/bin/sh\n');
  expect(await find('tool')).toBe(both);
  expect(await find(both)).toBe(both);
  const own = await write(join(bundle, 'tool'), '#!/bin/sh\n');
  expect(await find('tool')).toBe(own);
  expect(await find('./tool')).toBe(own);
  expect(await find('node')).toBe(process.execPath);
});

it('is the machine’s where the file of the bundle cannot be run', async () => {
  await write(join(bundle, 'tool'), '#!/bin/sh\n', 0o644);
  const tool = await write(join(shared, 'tool'), '#!/bin/sh\n');
  expect(await find('tool')).toBe(tool);
});

it.each([
  ['nothing', 'there is no program "nothing" in the bundle or on PATH'],
  ['bin/nothing', 'there is no program "bin/nothing" in the bundle'],
  ['/no/such/program', 'there is no program "/no/such/program" on this machine'],
  ['', 'there is no program "" in the bundle or on PATH'],
  ['data', '"data" is there, but is not executable: chmod +x it, and build the bundle again'],
  ['folder', '"folder" is no file, so it cannot be run'],
])('says of %j: %s', async (name, sentence) => {
  await write(join(bundle, 'data'), '#!/bin/sh\n', 0o644);
  await mkdir(join(bundle, 'folder'));
  await expect(find(name)).rejects.toMatchObject({ code: 'invalid', message: sentence });
});

it.each([
  ['#!/no/such/python -u\nprint()\n', '"/no/such/python"'],
  ['#! /no/such/python\n', '"/no/such/python"'],
  ['#!/bin/sh\r\necho\r\n', String.raw`"/bin/sh\r"`],
  ['#!/usr/bin/env no-such-python\n', '"no-such-python"'],
])('says which interpreter of %j is missing', async (script, interpreter) => {
  await write(join(bundle, 'tool'), script);
  await expect(find('tool')).rejects.toMatchObject({
    code: 'invalid',
    message: `"tool" cannot run on this machine: its first line names ${interpreter}, which is not there`,
  });
});

it.each(['#!/bin/sh -e\n', '#!/usr/bin/env tool\n', '#!/usr/bin/env -S no-such-python -u\n', 'echo hello\n', ''])(
  'takes %j',
  async (script) => {
    await write(join(shared, 'tool'), '#!/bin/sh\n');
    const own = await write(join(bundle, 'own'), script);
    expect(await find('own')).toBe(own);
  },
);

/** The runtime's head, and the same with the number of another machine. */
const heads = async (): Promise<readonly [Buffer, Buffer]> => {
  const file = await open(process.execPath);
  const own = Buffer.alloc(256);
  await file.read(own, 0, 256, 0);
  await file.close();
  const other = Buffer.from(own);
  other.writeUInt16LE(22, 18);
  return [own, other];
};

const emulators = await readdir('/proc/sys/fs/binfmt_misc').catch(() => []);
const telling = process.platform === 'linux' && emulators.every((name) => name === 'register' || name === 'status');

it.skipIf(!telling)('tells programs for other machines from its own', async () => {
  const [own, other] = await heads();
  const tool = await write(join(bundle, 'tool'), own);
  expect(await find('tool')).toBe(tool);
  await write(join(bundle, 'other'), other);
  await write(join(bundle, 'windows'), `MZ${'\0'.repeat(64)}`);
  await expect(find('other')).rejects.toThrow(
    /^"other" cannot run on this machine: it is a program for Linux on s390x, and this is Linux on /,
  );
  await expect(find('windows')).rejects.toThrow(/it is a program for Windows, and this is Linux on /);
});

it('tells a program that lacks what loads it from one that is not there', async () => {
  const command = await write(join(bundle, 'tool'), '#!/no/such/python\n');
  const program = { command, args: [], folder: bundle, env: {}, logFile: join(folder, 'log') };
  await expect(startProgram(program)).rejects.toMatchObject({
    code: 'unavailable',
    message: `"${command}" could not be started: what is to load it, as its head says, is not on this machine`,
  });
  await expect(startProgram({ ...program, command: join(bundle, 'none') })).rejects.toThrow('ENOENT');
  await expect(startProgram({ ...program, folder: join(folder, 'none') })).rejects.toThrow('is gone');
  await expect(startProgram({ ...program, env: { A: '\0' } })).rejects.toThrow('could not be started');
});
