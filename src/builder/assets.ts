import { glob } from 'node:fs/promises';
import path from 'node:path';
import { fileToPack, listFolder } from '../bundles/list-folder.ts';
import type { PackFile } from '../bundles/pack.ts';
import { SkeinError } from '../domain/errors.ts';

/**
 * The files of a folder (a real path) that globs name; a folder stands for everything in it. `invalid` when a glob
 * names nothing, so that a misspelt one is found here and not by the first call.
 */
export const findAssets = async (folder: string, globs: readonly string[]): Promise<readonly PackFile[]> => {
  const files = new Map<string, PackFile>();
  for (const pattern of globs) {
    const found = await matching(folder, pattern);
    if (found.length === 0) {
      throw new SkeinError('invalid', `The asset ${pattern} is not in ${folder}: correct "assets" in the settings.`);
    }
    for (const file of found) files.set(file.path, file);
  }
  return [...files.values()];
};

const matching = async (folder: string, pattern: string): Promise<readonly PackFile[]> => {
  const files: PackFile[] = [];
  for await (const entry of glob(pattern, { cwd: folder, withFileTypes: true })) {
    const inside = path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/');
    if (!entry.isDirectory()) files.push(await fileToPack(folder, inside));
    else if (!pattern.includes('*')) files.push(...(await listFolder(path.join(folder, inside), undefined, inside)));
  }
  return files;
};
