/**
 * Writes the pages of docs/reference that are made from the source. With `--check` it writes nothing and fails when a
 * page is not what the source says.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configReference } from '../src/config/reference.ts';

const root = join(import.meta.dirname, '..');

const pages: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: 'docs/reference/configuration.md', text: configReference },
];

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const check = process.argv.includes('--check');
for (const page of pages) {
  const path = join(root, page.path);
  const text = page.text();
  if (read(path) === text) continue;
  if (check) {
    console.error(`${page.path} is not what the source says: run \`node scripts/generate-docs.ts\``);
    process.exitCode = 1;
    continue;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`wrote ${page.path}`);
}
