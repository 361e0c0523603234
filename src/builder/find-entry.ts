import { stat } from 'node:fs/promises';
import path from 'node:path';
import { bundlePath } from '../bundles/bundle-paths.ts';
import { SkeinError } from '../domain/errors.ts';
import type { NodeSettings, PackageJson } from './settings.ts';

const endings = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'];
const usual = ['handler', 'index'].flatMap((name) => endings.map((ending) => `${name}.${ending}`));

/**
 * The file of a function's folder that exports its handler, as a path inside the folder: what the settings say, else
 * what package.json says, else the usual names. `invalid` when there is none.
 */
export const findEntry = async (
  folder: string,
  settings: NodeSettings,
  packageJson: PackageJson | undefined,
): Promise<string> => {
  if (settings.entry !== undefined) {
    const entry = bundlePath(settings.entry);
    if (await isFile(path.join(folder, entry))) return entry;
    throw new SkeinError('invalid', `The entry ${entry} is not in ${folder}: correct "entry" in the settings.`);
  }
  // package.json often names a file that was never written (`npm init` says index.js): then it has no say.
  for (const candidate of [...packageEntries(packageJson), ...usual]) {
    if (await isFile(path.join(folder, candidate))) return bundlePath(candidate);
  }
  throw new SkeinError(
    'invalid',
    `There is no handler in ${folder}: add handler.js (or .ts, .mjs, .cjs), or name the file as "main" in package.json.`,
  );
};

const packageEntries = (packageJson: PackageJson | undefined): readonly string[] => {
  const exported = exportedFile(packageJson?.exports);
  const named = [exported, packageJson?.main].filter((file) => file !== undefined);
  const inside = named.filter((file) => !file.split('/').includes('..') && !file.startsWith('/'));
  return inside.flatMap((file) => ['', ...endings.map((ending) => `.${ending}`)].map((ending) => file + ending));
};

/** `exports` may be a file, or conditions, or subpaths with either. */
const exportedFile = (exports: unknown): string | undefined => {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const conditions = exports as Readonly<Record<string, unknown>>;
  for (const key of ['.', 'node', 'import', 'require', 'default']) {
    const found = exportedFile(conditions[key]);
    if (found !== undefined) return found;
  }
  return undefined;
};

const isFile = async (file: string): Promise<boolean> =>
  stat(file).then(
    (stats) => stats.isFile(),
    () => false,
  );
