import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack as tarPack } from 'tar-stream';
import { SkeinError } from '../domain/errors.ts';
import type { Digest } from '../domain/ids.ts';
import { BundlePaths, bundlePath } from './bundle-paths.ts';
import { bundleLimits, type StoredBundle } from './bundle-store.ts';

/** A file on its way into a bundle. */
export type PackFile = {
  /** Inside the bundle, with `/`. */
  readonly path: string;
  /** What is in it: bytes, or the absolute path of a file that has them. */
  readonly contents: Buffer | { readonly file: string; readonly bytes: number };
  readonly executable: boolean;
};

/**
 * The archive of `files`. The same files give the same bytes whatever their order, owner and age, and so the same
 * digest. `invalid` for paths that a bundle store would refuse, `too-large` past `bundleLimits`.
 */
export const pack = (files: Iterable<PackFile>): Readable => {
  const sorted = checked(files);
  const tar = tarPack();
  const gzip = createGzip({ level: 6 });
  addAll(tar, sorted).catch((error: unknown) => tar.destroy(error as Error));
  // The errors of either end up at `gzip`, which is what the caller reads.
  pipeline(tar as unknown as Readable, gzip).catch((error: unknown) => gzip.destroy(error as Error));
  return gzip;
};

/** Writes the archive of `files` to the file `out`, which appears only when it is whole. */
export const packToFile = async (files: Iterable<PackFile>, out: string): Promise<StoredBundle> => {
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk);
      bytes += chunk.length;
      done(bytes > bundleLimits.packedBytes ? tooLarge('packed', bundleLimits.packedBytes) : null, chunk);
    },
  });
  const unfinished = `${out}.${process.pid}.part`;
  try {
    await pipeline(pack(files), measure, createWriteStream(unfinished));
    await rename(unfinished, out);
  } finally {
    await rm(unfinished, { force: true });
  }
  return { digest: `sha256:${hash.digest('hex')}` as Digest, bytes };
};

const checked = (files: Iterable<PackFile>): readonly PackFile[] => {
  const places = new BundlePaths(bundleLimits.files);
  const spelled = Array.from(files, ({ path, contents, executable }) => ({
    path: bundlePath(path),
    contents,
    executable,
  }));
  let bytes = 0;
  for (const file of spelled) {
    places.take(file.path, 'file');
    bytes += bytesOf(file);
    if (bytes > bundleLimits.unpackedBytes) throw tooLarge('unpacked', bundleLimits.unpackedBytes);
  }
  return spelled.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
};

const addAll = async (tar: Pack, files: readonly PackFile[]): Promise<void> => {
  for (const file of files) {
    const header = {
      name: file.path,
      size: bytesOf(file),
      mode: file.executable ? 0o755 : 0o644,
      mtime: new Date(0),
      uid: 0,
      gid: 0,
      type: 'file',
    } as const;
    await pipeline(contentsOf(file), tar.entry(header));
  }
  tar.finalize();
};

/** Small files are read at once: opening a stream costs more than they do. */
const streamFromBytes = 256 * 1024;

const contentsOf = (file: PackFile): Readable => {
  if (Buffer.isBuffer(file.contents)) return Readable.from([file.contents], { objectMode: false });
  const { file: source, bytes } = file.contents;
  if (bytes > streamFromBytes) return createReadStream(source);
  return Readable.from(readWhole(source), { objectMode: false });
};

async function* readWhole(file: string): AsyncGenerator<Buffer> {
  yield await readFile(file);
}

const bytesOf = (file: PackFile): number =>
  Buffer.isBuffer(file.contents) ? file.contents.length : file.contents.bytes;

const tooLarge = (how: string, limit: number): SkeinError =>
  new SkeinError('too-large', `A bundle has at most ${limit} bytes ${how}: leave out what the function does not need.`);
