import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SkeinError } from '../domain/errors.ts';
import { goodArchive, goodEntries, rawArchive, type RawEntry, rawTar } from './archives.fixture.ts';
import { bundleStoreConformance } from './bundle-store.conformance.ts';
import { FileBundleStore } from './file-store.ts';

const folders: string[] = [];

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'skein-bundles-'));
  folders.push(folder);
  return folder;
};

afterAll(async () => {
  await Promise.all(folders.map(async (folder) => rm(folder, { recursive: true, force: true })));
});

const small = { packedBytes: 4096, unpackedBytes: 8192, files: 10 };

describe('a store of bundles in files', () => {
  bundleStoreConformance(async () => FileBundleStore.open(await newFolder()));

  it('keeps its bundles when it is opened again', async () => {
    const folder = await newFolder();
    const stored = await (await FileBundleStore.open(folder)).put(Readable.from([goodArchive()]));
    const again = await FileBundleStore.open(folder);
    expect(await again.list()).toEqual([stored]);
    expect((await again.open(stored.digest)).manifest).toMatchObject({ entry: 'handler.mjs' });
  });

  it('sweeps what a crash left half done', async () => {
    const folder = await newFolder();
    await mkdir(path.join(folder, 'incoming/crashed/unpacked'), { recursive: true });
    await mkdir(path.join(folder, 'unpacked', 'ab'.repeat(32)), { recursive: true });
    const store = await FileBundleStore.open(folder);
    expect(await readdir(path.join(folder, 'incoming'))).toEqual([]);
    expect(await readdir(path.join(folder, 'unpacked'))).toEqual([]);
    expect(await store.list()).toEqual([]);
  });

  it('unpacks again what was taken away, and forgets an archive that is damaged', async () => {
    const folder = await newFolder();
    const first = await FileBundleStore.open(folder);
    const { digest } = await first.put(Readable.from([goodArchive()]));
    const unpacked = (await first.open(digest)).folder;
    await rm(unpacked, { recursive: true });
    const second = await FileBundleStore.open(folder);
    expect(await readFile(path.join((await second.open(digest)).folder, 'handler.mjs'), 'utf8')).toContain('hi');

    await rm(unpacked, { recursive: true });
    await writeFile(path.join(folder, 'sha256', `${digest.slice(7)}.tar.gz`), 'damaged');
    expect(await (await FileBundleStore.open(folder)).list()).toEqual([]);
  });

  it('gives files the modes 0644 and 0755 and nothing else', async () => {
    const store = await FileBundleStore.open(await newFolder());
    const more = [
      { name: 'run', mode: 0o6711 },
      { name: 'data', mode: 0o606 },
    ];
    const { digest } = await store.put(Readable.from([goodArchive(more)]));
    const { folder } = await store.open(digest);
    const modeOf = async (name: string) => (await stat(path.join(folder, name))).mode & 0o7777;
    expect([await modeOf('run'), await modeOf('data')]).toEqual([0o755, 0o644]);
  });

  const tooLarge: readonly (readonly [string, Buffer])[] = [
    ['an archive that is too long', gzipSync(rawTar(goodEntries), { level: 0 }).subarray(0, 2500)],
    ['too many files', goodArchive(Array.from({ length: 9 }, (_, i) => ({ name: `f${i}` })))],
    ['too many folders in one path', goodArchive([{ name: 'a/b/c/d/e/f/g/h/i/j' }])],
    ['a file that is too large', goodArchive([{ name: 'big', contents: Buffer.alloc(8193) }])],
    [
      'files that are too large together',
      goodArchive([1, 2].map((i) => ({ name: `b${i}`, contents: Buffer.alloc(5000) }))),
    ],
    ['a bomb', gzipSync(Buffer.alloc(1_000_000, rawTar([{ name: 'x', type: 'g' }]).subarray(0, 512)))],
    ['zeros without end', gzipSync(Buffer.concat([rawTar(goodEntries), Buffer.alloc(1_000_000)]))],
  ];

  it.each(tooLarge)('refuses %s', async (_, archive) => {
    const folder = await newFolder();
    const store = await FileBundleStore.open(folder, { ...small, packedBytes: 2400 });
    await expect(store.put(Readable.from([archive]))).rejects.toMatchObject({ code: 'too-large' });
    expect(await readdir(path.join(folder, 'incoming'))).toEqual([]);
    expect(await readdir(path.join(folder, 'unpacked'))).toEqual([]);
  });

  it('never takes what is no digest for a path', async () => {
    const store = await FileBundleStore.open(await newFolder());
    await expect(store.read('sha256:../../etc/passwd' as never)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('a hostile archive', () => {
  /** Everything below a folder but the store itself, so that an escape shows. */
  const outside = async (root: string): Promise<readonly string[]> =>
    (await readdir(root, { recursive: true })).filter((name) => name !== 'store' && !name.startsWith('store/'));

  const tryPut = async (archive: Buffer): Promise<void> => {
    const root = await newFolder();
    const store = await FileBundleStore.open(path.join(root, 'store'), small);
    const outcome = await store.put(Readable.from([archive])).catch((error: unknown) => error);
    if (outcome instanceof Error) {
      expect(outcome).toBeInstanceOf(SkeinError);
      expect(['invalid', 'too-large']).toContain((outcome as SkeinError).code);
      expect(await store.list()).toEqual([]);
      expect(await readdir(path.join(root, 'store/unpacked'))).toEqual([]);
    } else {
      const digest = `sha256:${createHash('sha256').update(archive).digest('hex')}`;
      expect(outcome).toEqual({ digest, bytes: archive.length });
    }
    expect(await outside(root)).toEqual([]);
    expect(await readdir(path.join(root, 'store/incoming'))).toEqual([]);
  };

  const name = fc
    .array(fc.constantFrom('..', '.', '', 'a', 'A', 'handler.mjs', 'skein.json', 'x\\y', 'é', 'e\u0301'), {
      minLength: 1,
    })
    .map((parts) => parts.join('/'));
  const entry: fc.Arbitrary<RawEntry> = fc.record(
    {
      name,
      contents: fc.oneof(
        fc.string(),
        fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
      ),
      type: fc.constantFrom('0', '5', '1', '2', '3', '6', 'x', 'g', 'L', 'K', 'S', '\0', 'Z'),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      linkName: name,
      size: fc.integer({ min: 0, max: 20_000 }),
    },
    { requiredKeys: ['name'] },
  );

  it('made of random entries never leaves the folder and fails in known ways only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => tryPut(goodArchive(entries))),
      { numRuns: 150 },
    );
  });

  it('made of a good one with changed bytes does no harm, inside the gzip or outside', async () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 });
    const changed = (bytes: Buffer, changes: readonly (readonly [number, number])[]): Buffer => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    };
    const tar = rawTar([...goodEntries, { name: 'a/long', type: 'L', contents: 'b/name\0' }, { name: 'c' }]);
    await fc.assert(
      fc.asyncProperty(change, fc.boolean(), async (changes, inside) =>
        tryPut(inside ? gzipSync(changed(tar, changes)) : changed(gzipSync(tar), changes)),
      ),
      { numRuns: 150 },
    );
  });

  it('made of random bytes is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), async (bytes, zipped) =>
        tryPut(zipped ? gzipSync(bytes) : Buffer.from(bytes)),
      ),
      { numRuns: 60 },
    );
  });

  it('is read in constant memory', async () => {
    const store = await FileBundleStore.open(await newFolder());
    // A long name that claims a gigabyte would, if it were believed, be kept in memory.
    const liar = rawArchive([{ name: 'x', type: 'L', size: 2 ** 30, contents: 'n' }]);
    await expect(store.put(Readable.from([liar]))).rejects.toThrow(/extended header that is too long/);
  });
});
