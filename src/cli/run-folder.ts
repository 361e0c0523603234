import { createHash } from 'node:crypto';
import { lstat, mkdir, readlink, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '../domain/errors.ts';

/**
 * Where a node's sockets are: unix sockets have paths of at most 108 bytes, and data folders may be deep. A link `run` in
 * the node's folder leads there, so that everyone finds the same place whatever TMPDIR they have.
 */
export const makeRunFolder = async (nodeFolder: string): Promise<string> => {
  const known = await readlink(linkOf(nodeFolder)).catch(() => undefined);
  if (known !== undefined && (await isOurs(known))) return known;
  const hash = createHash('sha256').update(nodeFolder).digest('hex').slice(0, 10);
  const folder = join(tmpdir(), `skein-${userInfo().uid}-${hash}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  // Anyone may make folders there: one that another user made in advance is not ours to trust.
  if (!(await isOurs(folder))) {
    throw new SkeinError('invalid', `${folder} is there and belongs to somebody else: set TMPDIR to another folder`);
  }
  await rm(linkOf(nodeFolder), { force: true });
  await symlink(folder, linkOf(nodeFolder));
  return folder;
};

export const removeRunFolder = async (nodeFolder: string): Promise<void> => {
  const known = await readlink(linkOf(nodeFolder)).catch(() => undefined);
  if (known !== undefined && (await isOurs(known))) await rm(known, { recursive: true, force: true });
  await rm(linkOf(nodeFolder), { force: true });
};

/** Where nothing is left running: a socket in it may be one that somebody still answers on. */
export const removeEmptyRunFolder = async (nodeFolder: string): Promise<void> => {
  const known = await readlink(linkOf(nodeFolder)).catch(() => undefined);
  if (known === undefined) return;
  try {
    await rmdir(known);
    await rm(linkOf(nodeFolder), { force: true });
  } catch {
    // Not empty: the next start finds it, and what is in it.
  }
};

const linkOf = (nodeFolder: string): string => join(nodeFolder, 'run');

const isOurs = async (folder: string): Promise<boolean> => {
  const found = await lstat(folder).catch(() => undefined);
  return found !== undefined && found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0;
};
