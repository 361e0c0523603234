import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { Digest } from '../domain/ids.ts';
import { goodArchive, goodEntries, paxRecord, rawArchive, type RawEntry, rawTar } from './archives.fixture.ts';
import type { BundleStore } from './bundle-store.ts';

const digestOf = (archive: Buffer): Digest => `sha256:${createHash('sha256').update(archive).digest('hex')}` as Digest;
const unknown = digestOf(Buffer.from('nothing has this'));
const manifestOnly = (manifest: object): Buffer =>
  rawArchive([{ name: 'skein.json', contents: JSON.stringify(manifest) }]);

const damagedHeader = rawTar([{ name: 'readme' }, ...goodEntries]);
damagedHeader.write('leaves');

const hostile: readonly (readonly [string, readonly RawEntry[]])[] = [
  ['a path that leads out', [{ name: '../out', contents: 'x' }]],
  ['a path that leads out from inside', [{ name: 'a/../../out', contents: 'x' }]],
  ['an absolute path', [{ name: '/tmp/out', contents: 'x' }]],
  ['a backslash', [{ name: 'a\\..\\out', contents: 'x' }]],
  ['a symbolic link', [{ name: 'link', type: '2', linkName: '/etc/passwd' }]],
  ['a hard link', [{ name: 'link', type: '1', linkName: 'handler.mjs' }]],
  ['a device', [{ name: 'null', type: '3' }]],
  ['a pipe', [{ name: 'pipe', type: '6' }]],
  ['the same file twice', [{ name: 'handler.mjs', contents: 'other' }]],
  ['the same file in capitals', [{ name: 'HANDLER.mjs', contents: 'other' }]],
  ['a folder in two spellings', [{ name: 'lib/a' }, { name: 'LIB/b' }]],
  ['a file where a folder is', [{ name: 'lib/a' }, { name: 'lib' }]],
  ['a folder where a file is', [{ name: 'lib' }, { name: 'lib/a' }]],
  ['a name with NUL', [{ name: 'x', type: 'x', contents: paxRecord('path', 'a\0b') }, { name: 'y' }]],
  ['a long name that leads out', [{ name: 'x', type: 'L', contents: '../out\0' }, { name: 'y' }]],
  ['a global header that renames', [{ name: 'g', type: 'g', contents: paxRecord('path', 'b') }, { name: 'y' }]],
  ['a sparse file', [{ name: 'x', type: 'x', contents: paxRecord('GNU.sparse.major', '1') }, { name: 'y' }]],
  ['a name longer than file systems take', [{ name: 'x', type: 'L', contents: 'n'.repeat(300) }, { name: 'y' }]],
];

/** What every bundle store keeps to. `make` gives an empty one each time. */
export const bundleStoreConformance = (make: () => Promise<BundleStore>): void => {
  const put = async (store: BundleStore, archive: Buffer, expected?: Digest) =>
    store.put(Readable.from([archive]), expected);

  it('gives back the archive as it was put', async () => {
    const store = await make();
    const archive = goodArchive();
    const stored = await put(store, archive, digestOf(archive));
    expect(stored).toEqual({ digest: digestOf(archive), bytes: archive.length });
    expect(await store.has(stored.digest)).toBe(true);
    expect(await store.list()).toEqual([stored]);
    const read = await store.read(stored.digest);
    expect(read.bytes).toBe(archive.length);
    expect(await buffer(read.stream)).toEqual(archive);
  });

  it('opens a bundle as a folder with its files and its manifest', async () => {
    const store = await make();
    const more = [
      { name: './data/', type: '5' },
      { name: './data/words.txt', contents: 'one two' },
    ];
    const { digest } = await put(store, goodArchive(more));
    const { folder, manifest } = await store.open(digest);
    expect(path.isAbsolute(folder)).toBe(true);
    expect(manifest).toEqual({
      manifest: 1,
      mode: 'node',
      entry: 'handler.mjs',
      env: {},
      handler: 'auto',
      threads: false,
    });
    expect(await readFile(path.join(folder, 'data/words.txt'), 'utf8')).toBe('one two');
  });

  it('takes the same bundle many times at once', async () => {
    const store = await make();
    const archive = goodArchive();
    const stored = await Promise.all(Array.from({ length: 8 }, async () => put(store, archive)));
    expect(new Set(stored.map(({ digest }) => digest))).toEqual(new Set([digestOf(archive)]));
    expect(await store.list()).toHaveLength(1);
    const { folder } = await store.open(digestOf(archive));
    expect(await readFile(path.join(folder, 'handler.mjs'), 'utf8')).toBe(goodEntries[1]?.contents);
  });

  it('forgets what is removed, and takes it again', async () => {
    const store = await make();
    const { digest } = await put(store, goodArchive());
    await store.remove(digest);
    await store.remove(digest);
    expect(await store.has(digest)).toBe(false);
    expect(await store.list()).toEqual([]);
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'not-found' });
    await put(store, goodArchive());
    expect(await store.has(digest)).toBe(true);
  });

  it('knows nothing of bundles it never saw', async () => {
    const store = await make();
    expect(await store.has(unknown)).toBe(false);
    await expect(store.read(unknown)).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.open(unknown)).rejects.toMatchObject({ code: 'not-found' });
    await store.remove(unknown);
  });

  it('refuses a bundle that is not the expected one', async () => {
    const store = await make();
    await expect(put(store, goodArchive(), unknown)).rejects.toMatchObject({ code: 'invalid' });
    expect(await store.list()).toEqual([]);
  });

  it('says that it may work later when the sender breaks off', async () => {
    const store = await make();
    async function* broken() {
      yield goodArchive().subarray(0, 50);
      throw new Error('connection reset');
    }
    await expect(store.put(Readable.from(broken()))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.list()).toEqual([]);
  });

  it.each(hostile)('refuses %s', async (_, entries) => {
    const store = await make();
    await expect(put(store, goodArchive(entries))).rejects.toMatchObject({ code: 'invalid' });
    expect(await store.list()).toEqual([]);
  });

  const damaged: readonly (readonly [string, Buffer])[] = [
    ['nothing at all', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['an archive cut short', goodArchive().subarray(0, -20)],
    ['an archive with something behind it', Buffer.concat([goodArchive(), Buffer.from('more')])],
    [
      'a tar with something behind its end mark',
      gzipSync(Buffer.concat([rawTar(goodEntries), Buffer.alloc(512, 'x')])),
    ],
    ['a tar without an end mark', gzipSync(rawTar(goodEntries).subarray(0, -1024))],
    ['a tar with a damaged header', gzipSync(damagedHeader)],
    ['an archive without a manifest', rawArchive([{ name: 'handler.mjs' }])],
    ['a manifest that is not JSON', rawArchive([{ name: 'skein.json', contents: '{' }])],
    ['a manifest of another format', manifestOnly({ manifest: 2, mode: 'node', entry: 'x' })],
    ['a manifest whose entry is missing', manifestOnly({ manifest: 1, mode: 'node', entry: 'x.mjs' })],
    ['a manifest whose entry is outside', manifestOnly({ manifest: 1, mode: 'node', entry: '../x.mjs' })],
  ];

  it.each(damaged)('refuses %s', async (_, archive) => {
    const store = await make();
    await expect(put(store, archive)).rejects.toMatchObject({ code: 'invalid' });
    expect(await store.list()).toEqual([]);
  });
};
