import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../commands.ts';
import { runSkein } from '../testing/run-skein.ts';
import { commandTree, shells, type CommandNode, type OptionNode } from './command-tree.ts';
import { flatten } from './spec-table.ts';

const run = promisify(execFile);

let folder = '';
let tree: CommandNode;

/** In place of a node's answers: names for what completion asks, and a note of how it asked. */
const program = `#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/.asked"
case "$1" in
  list) printf 'figlet\\nfib\\necho\\n' ;;
  secret) case "$*" in *"--namespace team"*) echo team-key ;; *) echo api-key ;; esac ;;
  namespace) echo team ;;
  status) echo node-1 ;;
  queue) echo 42 ;;
esac
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-completion-'));
  writeFileSync(join(folder, 'skein'), program);
  chmodSync(join(folder, 'skein'), 0o755);
  mkdirSync(join(folder, 'functions'));
  writeFileSync(join(folder, 'a file.yml'), '');
  tree = await commandTree(commands);
  for (const shell of shells) {
    const { code, out, err } = await runSkein(['completion', shell]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    writeFileSync(join(folder, `completion.${shell}`), out);
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

const namesOf = (options: readonly OptionNode[]): readonly string[] =>
  options.filter(({ hidden }) => !hidden).flatMap(({ names }) => names);

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

const complete = `source ./completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_skein
for word in "\${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done`;

const inBash = async (...words: readonly string[]): Promise<readonly string[]> => {
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
  const { stdout, stderr } = await run('bash', ['-c', complete, '_', ...words], { cwd: folder, env });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
};

describe.runIf(has('bash'))('bash', () => {
  test('completes every command and every option of each', async () => {
    for (const { path, commands: below, options } of flatten(tree)) {
      const words = ['skein', ...path.split(' ').filter((word) => word !== '')];
      if (below.length > 0) {
        expect(await inBash(...words, '')).toEqual(below.map(({ name }) => name));
      }
      expect(await inBash(...words, '--'), path).toEqual(namesOf(options).filter((name) => name.startsWith('--')));
    }
  });

  test.each([
    [['de'], ['deploy', 'describe']],
    [['--data', 'deploy', 'des'], ['describe']],
    [['up', '--strategy', 're'], ['recalc']],
    [['up', '--strategy', '=', 're'], ['recalc']],
    [
      ['up', '--strategy', '='],
      ['least-loaded', 'recalc', 'static', 'all-local'],
    ],
    [
      ['node', '--log-format', ''],
      ['json', 'pretty'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [
      ['describe', 'fi'],
      ['figlet', 'fib'],
    ],
    [
      ['describe', '--json', 'fi'],
      ['figlet', 'fib'],
    ],
    [['describe', 'figlet', ''], []],
    [['remove', 'figlet', 'e'], ['echo']],
    [['override', 'set', 'figlet', ''], []],
    [['secret', 'remove', ''], ['api-key']],
    [['secret', 'create', ''], ['api-key']],
    [['logs', 'figlet', '--namespace', ''], ['team']],
    [['logs', 'figlet', '--instance', ''], ['node-1']],
    [['deploy', 'hello', '--secret', ''], ['api-key']],
    [['deploy', 'hello', '--secret', '=', 'a'], ['api-key']],
    [['deploy', 'hello', '--secret', 'api-key', '--namespace', 'team', '--secret', ''], ['team-key']],
    [['secret', 'remove', '--namespace', 'team', ''], ['team-key']],
    [
      ['namespace', ''],
      ['list', 'create', 'describe', 'update', 'remove'],
    ],
    [['namespace', 'remove', ''], ['team']],
    [['queue', 'replay', ''], ['42']],
    [
      ['list', '-'],
      [
        '-f',
        '--yaml',
        '--filter',
        '--regex',
        '--namespace',
        '--gateway',
        '--data',
        '--password-file',
        '--json',
        '--quiet',
        '-h',
        '--help',
      ],
    ],
    [['deploy', 'a'], ['a file.yml']],
    [['deploy', '--yaml', 'a'], ['a file.yml']],
    [['down', '--data', ''], ['functions']],
    [['deploy', '--image', ''], []],
  ])('completes %j', async (words, expected) => {
    expect([...(await inBash('skein', ...words))].sort()).toEqual([...expected].sort());
  });

  test('asks the node that the line names', async () => {
    await inBash('skein', '--gateway', 'http://127.0.0.1:9', 'invoke', '--data', 'body', 'f');
    const asked = readFileSync(join(folder, '.asked'), 'utf8').trim().split('\n').at(-1);
    expect(asked).toBe('list --quiet --gateway http://127.0.0.1:9');
  });

  test('understands words that bash takes apart at : and =', async () => {
    const url = ['http', ':', '//127.0.0.1', ':', '9'];
    for (const given of [
      ['--gateway', ...url],
      ['--gateway', '=', ...url],
    ]) {
      expect(await inBash('skein', 'describe', ...given, 'fi')).toEqual(['figlet', 'fib']);
      const asked = readFileSync(join(folder, '.asked'), 'utf8').trim().split('\n').at(-1);
      expect(asked).toBe('list --quiet --gateway http://127.0.0.1:9');
    }
    const rule = ['--constraint', 'label.zone', '==', 'north'];
    expect(await inBash('skein', 'deploy', ...rule, '--env', 'A', '=', 'b', '--env', 'C', '=', '', 'a')).toEqual([
      'a file.yml',
    ]);
  });
});

test.each(shells.filter(has))('%s takes its script for well-formed', async (shell) => {
  const { stderr } = await run(shell, ['-n', join(folder, `completion.${shell}`)]);
  expect(stderr).toBe('');
});

test.each(['zsh', 'fish'])('the script for %s names every command and option', async (shell) => {
  const script = readFileSync(join(folder, `completion.${shell}`), 'utf8');
  for (const { name, options } of flatten(tree).slice(1)) {
    expect(script).toContain(name);
    for (const option of namesOf(options)) {
      expect(script, `${name} ${option}`).toContain(shell === 'zsh' ? option : option.replace(/^--/, '-l '));
    }
  }
});

test('an argument that is the name of something is completed by asking for it', () => {
  const about = Object.fromEntries(flatten(tree).map(({ path, args }) => [path, args]));
  for (const path of ['describe', 'invoke', 'remove', 'logs', 'scale', 'override set', 'override list']) {
    expect(about[path]?.[0], path).toBe('function');
  }
  expect(about['secret update']).toEqual(['secret']);
  expect(about['namespace describe']).toEqual(['namespace']);
});

test('a shell that is not known is named with those that are', async () => {
  expect(await runSkein(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('bash, zsh, fish'),
  });
});
