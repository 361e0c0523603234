import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { listFolder } from '../bundles/list-folder.ts';
import type { PackFile } from '../bundles/pack.ts';
import { SkeinError } from '../domain/errors.ts';
import type { PackageUse } from './package-names.ts';

const dependencies = z.record(z.string(), z.string()).default({});
const packageJson = z.looseObject({
  dependencies,
  optionalDependencies: dependencies,
  peerDependencies: dependencies,
});

type Wanted = PackageUse & {
  /** The folder in the bundle whose package wants it; '' is the function itself. */
  readonly for: string;
  readonly optional: boolean;
};

/**
 * The files of packages and of everything they depend on, as they are installed where the function is built, laid out
 * under `node_modules/` so that each finds the version it found there. `invalid` when one is not installed.
 */
export const carryPackages = async (uses: readonly PackageUse[]): Promise<readonly PackFile[]> => {
  const places = new Map<string, string>();
  // Breadth first: a package's own dependencies take their places before theirs are looked for.
  const queue: Wanted[] = uses.map((use) => ({ ...use, for: '', optional: false }));
  for (let wanted = queue.shift(); wanted !== undefined; wanted = queue.shift()) {
    const source = await findPackage(wanted);
    const place = source === undefined ? undefined : choosePlace(places, wanted, source);
    if (source === undefined || place === undefined) continue;
    places.set(place, source);
    queue.push(...(await dependenciesOf(source, place)));
  }
  const lists = await Promise.all([...places].map(async ([place, source]) => filesOf(place, source)));
  return lists.flat();
};

/** As Node looks: in `node_modules` of the folder and of those above it. */
const findPackage = async (wanted: Wanted): Promise<string | undefined> => {
  for (let folder = await realpath(wanted.from); ; folder = path.dirname(folder)) {
    const found = await realpath(path.join(folder, 'node_modules', wanted.name, 'package.json')).catch(() => undefined);
    if (found !== undefined) return path.dirname(found);
    if (folder === path.dirname(folder)) break;
  }
  if (wanted.optional) return undefined;
  throw new SkeinError(
    'invalid',
    `The package ${wanted.name} is not installed: run \`npm install\` where it is listed.`,
  );
};

/** The place for a package, or undefined when the one who wants it already sees that very package. */
const choosePlace = (places: ReadonlyMap<string, string>, wanted: Wanted, source: string): string | undefined => {
  for (let at = wanted.for; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const place = below(at, wanted.name);
    const there = places.get(place);
    if (there === source) return undefined;
    if (there !== undefined) break;
    if (at === '') return place;
  }
  const place = below(wanted.for, wanted.name);
  if (!places.has(place)) return place;
  throw new SkeinError(
    'invalid',
    `The function uses two versions of ${wanted.name}, and neither can be bundled: name the package that brings the second one in "external".`,
  );
};

const below = (at: string, name: string): string => (at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`);

const dependenciesOf = async (source: string, place: string): Promise<readonly Wanted[]> => {
  const parsed = packageJson.parse(JSON.parse(await readFile(path.join(source, 'package.json'), 'utf8')));
  const optional = { ...parsed.peerDependencies, ...parsed.optionalDependencies };
  const required = Object.keys(parsed.dependencies).filter((name) => !Object.hasOwn(parsed.optionalDependencies, name));
  const want = (name: string, isOptional: boolean): Wanted => ({
    name,
    from: source,
    for: place,
    optional: isOptional,
  });
  return [
    ...required.map((name) => want(name, false)),
    ...Object.keys(optional)
      .filter((name) => !required.includes(name))
      .map((name) => want(name, true)),
  ];
};

/** What a package has in `node_modules` of its own is placed by itself. */
const filesOf = async (place: string, source: string): Promise<readonly PackFile[]> =>
  listFolder(source, (inside) => inside === 'node_modules' || inside === '.git', place);
