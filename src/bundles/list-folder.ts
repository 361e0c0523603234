import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { SkeinError } from '../domain/errors.ts';
import type { PackFile } from './pack.ts';

/** Whether a file or folder, by its path inside the listed folder, stays out (a folder: with all in it). */
export type Ignore = (path: string) => boolean;

/**
 * The files of a folder, as they would go into a bundle. Empty folders do not travel. A symbolic link to a file inside
 * the folder stands for that file; any other link, device or socket is `invalid`. In the bundle they stand below
 * `place`, by default at its top.
 */
export const listFolder = async (
  folder: string,
  ignore: Ignore = () => false,
  place = '',
): Promise<readonly PackFile[]> => {
  const root = await realpath(folder);
  const list = async (inside: string): Promise<readonly PackFile[]> => {
    const entries = await readdir(path.join(root, inside), { withFileTypes: true });
    const lists = await Promise.all(
      entries.map(async (entry) => {
        const at = inside === '' ? entry.name : `${inside}/${entry.name}`;
        if (ignore(at)) return [];
        return entry.isDirectory() ? list(at) : [await fileToPack(root, at, place)];
      }),
    );
    return lists.flat();
  };
  return list('');
};

/** The file at a path inside `root`, which is a real path. `invalid` where `listFolder` would refuse it. */
export const fileToPack = async (root: string, inside: string, place = ''): Promise<PackFile> => {
  const file = await realpath(path.join(root, inside)).catch(() => '');
  if (!file.startsWith(root + path.sep)) throw refuse(inside);
  const stats = await stat(file);
  if (!stats.isFile()) throw refuse(inside);
  const at = place === '' ? inside : `${place}/${inside}`;
  return { path: at, contents: { file, bytes: stats.size }, executable: (stats.mode & 0o111) !== 0 };
};

const refuse = (inside: string): SkeinError =>
  new SkeinError(
    'invalid',
    `${inside} is neither a file nor a link to a file inside the folder, and cannot be packed: remove it or ignore it.`,
  );
