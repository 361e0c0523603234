import { createReadStream } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { syncFolder } from '../std/sync-folder.ts';
import { BundlePaths, bundlePath } from './bundle-paths.ts';
import type { bundleLimits } from './bundle-store.ts';
import { type Manifest, manifest, manifestFile } from './manifest.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

export type Limits = { readonly [Name in keyof typeof bundleLimits]: number };

/** Each entry costs a header, perhaps a long name, and padding, beside its contents. */
const framingBytesPerFile = 4096;
const maxManifestBytes = 256 * 1024;

/**
 * Unpacks a bundle's archive into `folder`, which must exist and be empty, and returns its manifest. Only plain files
 * and folders inside `folder` are written, and they are on the disk when it returns. `invalid` for what is no bundle,
 * `too-large` as soon as a limit is passed; what was written until then is left to the caller.
 */
export const unpack = async (archive: string, folder: string, limits: Limits): Promise<Manifest> => {
  const paths = new BundlePaths(limits.files);
  await pipeline(
    createReadStream(archive),
    createGunzip({ rejectGarbageAfterEnd: true }),
    async (tar: AsyncIterable<Buffer>) => writeEntries(readTar(bounded(tar, limits)), folder, paths, limits),
  ).catch((error: unknown) => {
    throw isZlibError(error)
      ? new SkeinError('invalid', `The bundle is not a gzipped archive: ${messageOf(error)}.`, { cause: error })
      : error;
  });
  return readManifest(folder, paths);
};

const writeEntries = async (
  entries: AsyncIterable<TarEntry>,
  folder: string,
  paths: BundlePaths,
  limits: Limits,
): Promise<void> => {
  const folders = new Set([folder]);
  let unpackedBytes = 0;
  for await (const entry of entries) {
    const inside = bundlePath(entry.path);
    if (inside === '' && entry.kind === 'folder') continue;
    if (inside === '') throw new SkeinError('invalid', 'The archive holds a file without a name.');
    paths.take(inside, entry.kind);
    unpackedBytes += entry.bytes;
    if (unpackedBytes > limits.unpackedBytes) throw tooLarge(limits);
    if (inside === manifestFile && entry.bytes > maxManifestBytes) {
      throw new SkeinError('too-large', `A ${manifestFile} has at most ${maxManifestBytes} bytes.`);
    }
    const target = path.join(folder, inside);
    const parent = entry.kind === 'folder' ? target : path.dirname(target);
    await makeFolders(folder, parent, folders);
    if (entry.kind === 'file') await writeFile(target, entry);
  }
  await Promise.all([...folders].map(syncFolder));
};

/** Remembers what it made, so that each folder is made and later synced once. */
const makeFolders = async (root: string, folder: string, made: Set<string>): Promise<void> => {
  if (made.has(folder)) return;
  await mkdir(folder, { recursive: true });
  for (let at = folder; at.length > root.length; at = path.dirname(at)) made.add(at);
};

const writeFile = async (target: string, entry: TarEntry): Promise<void> => {
  // `wx` never writes through something that is there already.
  const file = await open(target, 'wx');
  try {
    for await (const chunk of entry.body) await file.writeFile(chunk);
    await file.chmod(entry.executable ? 0o755 : 0o644);
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Ends a stream that unpacks to more than a bundle may hold before it is read any further. */
async function* bounded(tar: AsyncIterable<Buffer>, limits: Limits): AsyncGenerator<Buffer> {
  const limit = limits.unpackedBytes + limits.files * framingBytesPerFile;
  let bytes = 0;
  for await (const chunk of tar) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge(limits);
    yield chunk;
  }
}

const readManifest = async (folder: string, paths: BundlePaths): Promise<Manifest> => {
  if (!paths.has(manifestFile, 'file')) {
    throw new SkeinError('invalid', `The bundle has no ${manifestFile}: make it with \`skein build\`.`);
  }
  const parsed = parseManifest(await readFile(path.join(folder, manifestFile), 'utf8'));
  if (parsed.mode === 'node' && !paths.has(bundlePath(parsed.entry), 'file')) {
    throw new SkeinError(
      'invalid',
      `The bundle has no file ${parsed.entry}, which its ${manifestFile} names as entry.`,
    );
  }
  return parsed;
};

/** The manifest that `text` spells; `invalid` with every fault named. */
export const parseManifest = (text: string): Manifest => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SkeinError('invalid', `The bundle's ${manifestFile} is not JSON: ${messageOf(cause)}.`, { cause });
  }
  const parsed = manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`);
  throw new SkeinError('invalid', `The bundle's ${manifestFile} makes no sense: ${faults.join('; ')}.`);
};

const isZlibError = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  (error.code.startsWith('Z_') || error.code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END');

const tooLarge = (limits: Limits): SkeinError =>
  new SkeinError('too-large', `A bundle unpacks to at most ${limits.unpackedBytes} bytes.`);
