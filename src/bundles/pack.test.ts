import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileBundleStore } from './file-store.ts';
import { listFolder } from './list-folder.ts';
import { pack, type PackFile, packToFile } from './pack.ts';

let root = '';

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'skein-pack-'));
});

afterAll(async () => rm(root, { recursive: true, force: true }));

const manifest = JSON.stringify({ manifest: 1, mode: 'http', command: ['./run'] });

const writeBundle = async (name: string): Promise<string> => {
  const folder = path.join(root, name);
  await mkdir(path.join(folder, 'deep/er'), { recursive: true });
  await writeFile(path.join(folder, 'skein.json'), manifest);
  await writeFile(path.join(folder, 'run'), '#!/bin/sh\n');
  await chmod(path.join(folder, 'run'), 0o700);
  await writeFile(path.join(folder, 'deep/er', `${'long'.repeat(40)}.bin`), Buffer.alloc(300_000, 7));
  return folder;
};

const bytes = (path: string, contents: string): PackFile => ({
  path,
  contents: Buffer.from(contents),
  executable: false,
});

it('gives the same digest for the same contents, whatever their age and order', async () => {
  const [one, two] = [await writeBundle('one'), await writeBundle('two')];
  await utimes(path.join(two, 'run'), 1, 1);
  const first = await packToFile(await listFolder(one), path.join(root, 'one.tar.gz'));
  const second = await packToFile([...(await listFolder(two))].reverse(), path.join(root, 'two.tar.gz'));
  expect(second).toEqual(first);
  expect(first.bytes).toBe((await stat(path.join(root, 'one.tar.gz'))).size);
});

it('packs what a bundle store unpacks to the same files', async () => {
  const out = path.join(root, 'round.tar.gz');
  const packed = await packToFile(await listFolder(await writeBundle('round')), out);
  const store = await FileBundleStore.open(path.join(root, 'store'));
  expect(await store.put(createReadStream(out), packed.digest)).toEqual(packed);
  const { folder } = await store.open(packed.digest);
  const inside = (await listFolder(folder)).map((file) => [file.path, file.executable] as const);
  expect(new Map(inside)).toEqual(
    new Map([
      [`deep/er/${'long'.repeat(40)}.bin`, false],
      ['run', true],
      ['skein.json', false],
    ]),
  );
  expect(await readFile(path.join(folder, 'deep/er', `${'long'.repeat(40)}.bin`))).toEqual(Buffer.alloc(300_000, 7));
});

it('leaves out what is ignored', async () => {
  const files = await listFolder(await writeBundle('ignoring'), (inside) => inside === 'deep');
  expect(files.map((file) => file.path).sort()).toEqual(['run', 'skein.json']);
});

it('follows a link to a file inside the folder and refuses any other', async () => {
  const folder = await writeBundle('links');
  await symlink('run', path.join(folder, 'also-run'));
  expect((await listFolder(folder)).find((file) => file.path === 'also-run')?.executable).toBe(true);
  await symlink('/etc/hostname', path.join(folder, 'out'));
  await expect(listFolder(folder)).rejects.toMatchObject({ code: 'invalid' });
});

it('refuses paths that no store would take', () => {
  expect(() => pack([bytes('../x', 'x')])).toThrow(/leads out/);
  expect(() => pack([bytes('x', '1'), bytes('X', '2')])).toThrow(/twice/);
});

it('fails when a file goes away while it is packed, and leaves nothing behind', async () => {
  const gone: PackFile = { path: 'gone', contents: { file: path.join(root, 'gone'), bytes: 3 }, executable: false };
  await expect(buffer(pack([gone]))).rejects.toThrow(/ENOENT/);
  await expect(packToFile([gone], path.join(root, 'gone.tar.gz'))).rejects.toThrow(/ENOENT/);
  await expect(stat(path.join(root, 'gone.tar.gz'))).rejects.toThrow(/ENOENT/);
});

it('fails when a file changes its size while it is packed', async () => {
  const file = path.join(root, 'grows');
  await writeFile(file, 'longer than said');
  const grown: PackFile = { path: 'grows', contents: { file, bytes: 3 }, executable: false };
  await expect(buffer(pack([grown]))).rejects.toThrow();
});
