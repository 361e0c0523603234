/**
 * Writes the pages of docs/reference that are made from the source. With `--check` it writes nothing and fails when a
 * page is not what the source says.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commands } from '../src/cli/commands.ts';
import { configReference } from '../src/config/reference.ts';
import { apiReference } from '../src/gateway/reference.ts';

const root = join(import.meta.dirname, '..');

/** A test keeps this file equal to what the program says of itself (`src/cli/help.test.ts`). */
const helpFile = join(root, 'test/golden/help.txt');

/** The help text of every command, as one page. */
const cliReference = (): string => {
  const cases = readFileSync(helpFile, 'utf8').split(`\n${'='.repeat(80)}\n`);
  const sections = cases.map((text) => {
    const [line = '', ...help] = text.split('\n');
    return `## ${line.replace(' --help', '')}\n\n\`\`\`\n${help.slice(1).join('\n').trim()}\n\`\`\`\n`;
  });
  const list = commands.map(({ name, summary }) => `* [\`skein ${name}\`](#skein-${name}): ${summary}`);
  return `# Commands

<!-- Made by \`node scripts/generate-docs.ts\` from test/golden/help.txt. -->

In a checkout the program is \`./bin/skein\`. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

${list.join('\n')}

${sections.join('\n')}`;
};

const pages: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: 'docs/reference/configuration.md', text: configReference },
  { path: 'docs/reference/api.md', text: apiReference },
  { path: 'docs/reference/cli.md', text: cliReference },
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
