import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from './commands.ts';
import { runSkein } from './testing/run-skein.ts';

/** Cases are divided by a line of `=`; each is a command line, a line `-----`, and what is printed. */
const golden = join(import.meta.dirname, '../../test/golden/help.txt');
const update = process.env['UPDATE_GOLDEN'] === '1';
const divider = `\n${'='.repeat(80)}\n`;

const sub = [
  'config print',
  'config reference',
  'override set',
  'override list',
  'override remove',
  'secret list',
  'secret create',
  'secret update',
  'secret remove',
  'namespace list',
  'namespace create',
  'namespace describe',
  'namespace update',
  'namespace remove',
  'queue list',
  'queue dead',
  'queue replay',
  'queue drop',
].filter((line) => commands.some(({ name }) => line.startsWith(name)));
const lines = ['', ...commands.map(({ name }) => name), ...sub].map((line) =>
  `skein ${line} --help`.replace('  ', ' '),
);

test('every help text is as it was agreed', async () => {
  const cases: string[] = [];
  for (const line of lines) {
    const { code, out, err } = await runSkein(line.split(' ').slice(1));
    expect({ code, err }, line).toEqual({ code: 0, err: '' });
    cases.push(`${line}\n-----\n${out}`);
  }
  const text = cases.join(divider);
  if (update) writeFileSync(golden, text);
  expect(text, 'read the difference; if it is meant, run with UPDATE_GOLDEN=1').toBe(readFileSync(golden, 'utf8'));
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
});

test('`skein help X` is `skein X --help`', async () => {
  expect(await runSkein(['help', 'list'])).toEqual(await runSkein(['list', '--help']));
});

test.each([[[]], [['list']], [['secret', 'list']]])('-h is --help: %j', async (words) => {
  expect(await runSkein([...words, '-h'])).toEqual(await runSkein([...words, '--help']));
});
