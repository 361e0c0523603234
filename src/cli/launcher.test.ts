import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSkein, skeinProgram } from './testing/run-skein.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-launcher-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A PATH with the tools of the system and a Node of some version in front. */
const pathWithNode = (version: string): string => {
  mkdirSync(join(folder, 'path'));
  const node = join(folder, 'path/node');
  writeFileSync(node, `#!/bin/sh\necho ${version}\n`);
  chmodSync(node, 0o755);
  return `${join(folder, 'path')}:/usr/bin:/bin`;
};

test('takes the Node of the lockfile, whatever Node the machine has', async () => {
  const { code, out } = await runSkein(['--version'], { env: { PATH: pathWithNode('v18.0.0') } });
  expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test('finds itself through links, absolute and relative', async () => {
  symlinkSync(skeinProgram, join(folder, 'one'));
  symlinkSync('one', join(folder, 'two'));
  expect(await runSkein(['--version'], { program: join(folder, 'two') })).toMatchObject({ code: 0 });
});

test('says to run npm ci when nothing is installed', async () => {
  mkdirSync(join(folder, 'bin'));
  copyFileSync(skeinProgram, join(folder, 'bin/skein'));
  chmodSync(join(folder, 'bin/skein'), 0o755);
  const options = { program: join(folder, 'bin/skein'), env: { PATH: pathWithNode('v20.1.0') } };
  const { code, err } = await runSkein([], options);
  expect(code).toBe(1);
  expect(err).toMatch(/^skein: needs Node 24, .*`npm ci`.*\n$/);
});

test('is one process: a signal to it is a signal to Skein', async () => {
  const server = createServer((_, response) => {
    response.end();
    started();
  });
  let started = (): void => {};
  const called = new Promise<void>((resolve) => (started = resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const child = spawn(skeinProgram, ['load', target, '--rate', '20', '--duration', '1h', '--json']);
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  await called;
  child.kill('SIGINT');
  const code = await new Promise((resolve) => child.on('close', resolve));
  server.close();
  expect(code).toBe(0);
  expect((JSON.parse(out) as { readonly sent: number }).sent).toBeGreaterThan(0);
});
