import type { Readable } from 'node:stream';
import type { Digest } from '../domain/ids.ts';
import type { Manifest } from './manifest.ts';

/** Bounds on what a bundle may hold; a larger one is refused with `too-large` before it fills the disk. */
export const bundleLimits = {
  /** Of the archive as sent. */
  packedBytes: 256 * 1024 * 1024,
  /** Of all files, unpacked. */
  unpackedBytes: 1024 * 1024 * 1024,
  files: 20_000,
} as const;

/**
 * Bundles of one node, by digest, on its disk. Contents never change, so everything here may be repeated.
 */
export interface BundleStore {
  has(digest: Digest): Promise<boolean>;
  list(): Promise<readonly StoredBundle[]>;
  /**
   * Takes in an archive: checks its length, its digest (`invalid` when `expected` is not what arrived), that it unpacks
   * to plain files inside its own folder (`invalid`: paths outside, links, devices; `too-large`: bombs), and its
   * manifest (`invalid`). Nothing is kept of a refused one.
   */
  put(archive: Readable, expected?: Digest): Promise<StoredBundle>;
  /** The archive as it was put. `not-found`. */
  read(digest: Digest): Promise<{ readonly bytes: number; readonly stream: Readable }>;
  /** The unpacked bundle, for reading only. `not-found`. */
  open(digest: Digest): Promise<OpenBundle>;
  /** Forgets it. Unknown digests are no fault. */
  remove(digest: Digest): Promise<void>;
}

export type StoredBundle = { readonly digest: Digest; readonly bytes: number };

export type OpenBundle = {
  /** Absolute path of a folder with the bundle's files. */
  readonly folder: string;
  readonly manifest: Manifest;
};
