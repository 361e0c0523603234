import { constants } from 'node:fs';
import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Puts the files of the bundle at `from` into the folder `to`. Node mode links them: its permission model refuses links
 * that are symbolic, and writing. Programs of http mode could write, so they get copies.
 */
export const placeBundle = async (from: string, to: string, how: 'link' | 'copy'): Promise<void> => {
  const put = how === 'link' ? linkOrCopy : copy;
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await mkdir(target, { mode: 0o700 });
      await placeBundle(source, target, how);
    } else if (entry.isFile()) {
      await put(source, target);
    }
  }
};

const copy = (source: string, target: string): Promise<void> => copyFile(source, target, constants.COPYFILE_FICLONE);

/** The bundles may be on another file system, or belong to another user. */
const linkOrCopy = (source: string, target: string): Promise<void> =>
  link(source, target).catch(() => copy(source, target));
