import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../src/cli/commands.ts';

const root = join(import.meta.dirname, '..');
const pages = globSync('**/*.md', { cwd: root, exclude: ['**/node_modules/**', '**/.*/**'] }).toSorted();

const read = (page: string): string => readFileSync(join(root, page), 'utf8');
const withoutCode = (text: string): string => text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/`[^`\n]*`/g, 'code');

/** The name that a heading can be linked by. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (page: string): readonly string[] =>
  [
    ...read(page)
      .replaceAll(/```[\s\S]*?```/g, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading = '']) => anchorOf(heading));

test('there are pages to look at', () => {
  expect(pages).toContain('README.md');
  expect(pages).toContain(join('docs', 'quick-start.md'));
});

test.each(pages)('links in %s lead somewhere', (page) => {
  const broken = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return [link];
    return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor) ? [link] : [];
  });
  expect(broken).toEqual([]);
});

test.each(pages)('commands shown in %s exist', (page) => {
  const known = new Set([...commands.map(({ name }) => name), 'help']);
  const shown = [...read(page).matchAll(/(?:^|[`\s(])(?:\.\/bin\/)?skein ((?:--\w[\w-]*[= ]\S+ )*)([a-z][\w-]*)/gm)];
  // `skein` is also a word: only what stands in code is a command.
  const inCode = shown.filter(({ index }) => isCode(read(page), index));
  expect(inCode.map(([, , name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
});

/** Whether a place in Markdown is inside a block or a span of code. */
function isCode(text: string, index: number): boolean {
  const before = text.slice(0, index + 1);
  if (before.split(/^```/m).length % 2 === 0) return true;
  const line = before.slice(before.lastIndexOf('\n') + 1);
  return line.split('`').length % 2 === 0;
}
