import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { type Digest, parseDigest } from '../domain/ids.ts';
import { OneAtATime } from '../std/one-at-a-time.ts';
import { syncFolder } from '../std/sync-folder.ts';
import { bundleLimits, type BundleStore, type OpenBundle, type StoredBundle } from './bundle-store.ts';
import { manifestFile } from './manifest.ts';
import { type Limits, parseManifest, unpack } from './unpack.ts';

const ending = '.tar.gz';

/**
 * Bundles in a folder that belongs to one process at a time: `sha256/HEX.tar.gz` as put, `unpacked/HEX/`, and
 * `incoming/` for what is on its way. A bundle is there from the moment its archive is in `sha256/`.
 */
export class FileBundleStore implements BundleStore {
  readonly #archives: string;
  readonly #unpacked: string;
  readonly #incoming: string;
  readonly #limits: Limits;
  /** Putting in place and removing, so that neither sees the other half done. */
  readonly #changes = new OneAtATime();

  private constructor(folder: string, limits: Limits) {
    this.#archives = path.join(folder, 'sha256');
    this.#unpacked = path.join(folder, 'unpacked');
    this.#incoming = path.join(folder, 'incoming');
    this.#limits = limits;
  }

  /** Makes the folder if need be, and sweeps what a crash left half done. */
  static async open(folder: string, limits: Limits = bundleLimits): Promise<FileBundleStore> {
    const store = new FileBundleStore(path.resolve(folder), limits);
    await store.#sweep();
    return store;
  }

  async has(digest: Digest): Promise<boolean> {
    return exists(this.#archiveOf(digest));
  }

  async list(): Promise<readonly StoredBundle[]> {
    const digests = (await readdir(this.#archives)).sort().flatMap((name) => digestOf(name) ?? []);
    const bundles = await Promise.all(digests.map(async (digest) => ({ digest, bytes: await this.#sizeOf(digest) })));
    return bundles.flatMap(({ digest, bytes }) => (bytes === undefined ? [] : [{ digest, bytes }]));
  }

  async put(archive: Readable, expected?: Digest): Promise<StoredBundle> {
    const workplace = path.join(this.#incoming, randomUUID());
    const file = path.join(workplace, 'archive');
    const folder = path.join(workplace, 'unpacked');
    await mkdir(folder, { recursive: true });
    try {
      const bundle = await receive(archive, file, this.#limits);
      if (expected !== undefined && bundle.digest !== expected) {
        throw new SkeinError('invalid', `The bundle that arrived is ${bundle.digest}, not ${expected}: send it again.`);
      }
      if (await this.has(bundle.digest)) return bundle;
      await unpack(file, folder, this.#limits);
      await this.#changes.run(async () => this.#keep(bundle.digest, file, folder));
      return bundle;
    } finally {
      await rm(workplace, { recursive: true, force: true });
    }
  }

  async read(digest: Digest): Promise<{ readonly bytes: number; readonly stream: Readable }> {
    const file = await open(this.#archiveOf(digest)).catch(orNotFound(digest));
    const { size } = await file.stat();
    return { bytes: size, stream: file.createReadStream() };
  }

  async open(digest: Digest): Promise<OpenBundle> {
    const folder = this.#folderOf(digest);
    const text = await readFile(path.join(folder, manifestFile), 'utf8').catch(orNotFound(digest));
    return { folder, manifest: parseManifest(text) };
  }

  async remove(digest: Digest): Promise<void> {
    await this.#changes.run(async () => {
      // The archive goes first: without it the rest is a leftover that the next start sweeps.
      await rm(this.#archiveOf(digest), { force: true });
      await rm(this.#folderOf(digest), { recursive: true, force: true });
    });
  }

  async #keep(digest: Digest, file: string, folder: string): Promise<void> {
    if (await this.has(digest)) return;
    await rm(this.#folderOf(digest), { recursive: true, force: true });
    await rename(folder, this.#folderOf(digest));
    await syncFolder(this.#unpacked);
    await rename(file, this.#archiveOf(digest));
    await syncFolder(this.#archives);
  }

  async #sweep(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    for (const folder of [this.#archives, this.#unpacked, this.#incoming]) await mkdir(folder, { recursive: true });
    for (const hex of await readdir(this.#unpacked)) {
      const whole = await exists(path.join(this.#archives, hex + ending));
      if (!whole) await rm(path.join(this.#unpacked, hex), { recursive: true, force: true });
    }
    for (const { digest } of await this.list()) {
      if (!(await exists(this.#folderOf(digest)))) await this.#restore(digest);
    }
  }

  /** Unpacks again what somebody took away; an archive that is damaged as well is forgotten. */
  async #restore(digest: Digest): Promise<void> {
    const folder = path.join(this.#incoming, hexOf(digest));
    await mkdir(folder);
    try {
      await unpack(this.#archiveOf(digest), folder, this.#limits);
      await rename(folder, this.#folderOf(digest));
    } catch (error) {
      if (!(error instanceof SkeinError)) throw error;
      await this.remove(digest);
    }
  }

  async #sizeOf(digest: Digest): Promise<number | undefined> {
    return stat(this.#archiveOf(digest)).then(
      ({ size }) => size,
      () => undefined,
    );
  }

  #archiveOf(digest: Digest): string {
    return path.join(this.#archives, hexOf(digest) + ending);
  }

  #folderOf(digest: Digest): string {
    return path.join(this.#unpacked, hexOf(digest));
  }
}

/** Writes what arrives to `file`, to the disk, and says what it is. */
const receive = async (archive: Readable, file: string, limits: Limits): Promise<StoredBundle> => {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx', 0o644);
  let bytes = 0;
  try {
    for await (const chunk of arriving(archive)) {
      bytes += chunk.length;
      if (bytes > limits.packedBytes) {
        throw new SkeinError('too-large', `A bundle has at most ${limits.packedBytes} bytes.`);
      }
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { digest: `sha256:${hash.digest('hex')}` as Digest, bytes };
};

/** A sender that breaks off is no fault of this disk. */
async function* arriving(archive: Readable): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer | string> = archive[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw new SkeinError('unavailable', `The bundle did not arrive: ${messageOf(cause)}. Send it again.`, {
          cause,
        });
      });
      if (next.done === true) return;
      yield typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

const hexOf = (digest: Digest): string => {
  // The digest names a file: what is no digest must never become a path.
  const hex = parseDigest(digest)?.slice('sha256:'.length);
  if (hex === undefined) throw new SkeinError('invalid', `${JSON.stringify(digest)} is no sha256 digest.`);
  return hex;
};

const digestOf = (name: string): Digest | undefined =>
  name.endsWith(ending) ? parseDigest(`sha256:${name.slice(0, -ending.length)}`) : undefined;

const exists = async (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const orNotFound =
  (digest: Digest) =>
  (cause: NodeJS.ErrnoException): never => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new SkeinError('not-found', `The bundle ${digest} is not here.`, { cause });
  };
