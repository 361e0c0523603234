import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

type Entry = { readonly version: string; readonly optionalDependencies?: Readonly<Record<string, string>> };
type Packages = Readonly<Record<string, Entry>>;

const lockfile = join(import.meta.dirname, '../package-lock.json');
const { packages } = JSON.parse(readFileSync(lockfile, 'utf8')) as { readonly packages: Packages };

/** What a package below `from` gets, as Node looks: its own `node_modules` first, then those above. */
const resolved = (from: string, name: string): Entry | undefined => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const found = packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`];
    if (found !== undefined || at === '') return found;
  }
};

/** `npm install` leaves out those of other platforms when `node_modules` is there; `npm ci` then refuses the lockfile. */
test('the lockfile names the optional packages of every platform', () => {
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, wanted]) => {
        const found = resolved(from, name);
        return found === undefined || (/^\d/.test(wanted) && found.version !== wanted);
      })
      .map(([name, wanted]) => `${name}@${wanted}`),
  );
  expect(missing).toEqual([]);
});
