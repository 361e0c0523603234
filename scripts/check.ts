/**
 * `npm run check`: everything that must hold before a push. Runs all checks, then says which failed. Arguments name the
 * checks to run, or, after `--without`, those to leave out.
 */
import { spawnSync } from 'node:child_process';
import { styleText } from 'node:util';

const modulesExamined = (output: string): boolean => {
  const count = /\((\d+) modules, \d+ dependencies cruised\)/.exec(output)?.[1];
  return count !== undefined && Number(count) > 0;
};

type Check = {
  readonly name: string;
  readonly command: readonly string[];
  /** What a passing run must also show. */
  readonly proves?: (output: string) => boolean;
};

const checks: readonly Check[] = [
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--deny-warnings'] },
  {
    name: 'imports',
    command: ['depcruise', 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'err-long'],
    // It passes when it could read nothing at all, so the number it examined is part of the proof.
    proves: modulesExamined,
  },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  { name: 'reference', command: ['node', 'scripts/generate-docs.ts', '--check'] },
  { name: 'unit tests', command: ['vitest', 'run', '--project', 'unit'] },
];

const names = process.argv.slice(2).filter((argument) => argument !== '--without');
const without = process.argv.includes('--without');
const unknown = names.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`no check is called ${unknown.join(', ')}: there are ${checks.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const failed: string[] = [];
for (const { name, command, proves } of checks) {
  if (names.length > 0 && names.includes(name) === without) continue;
  const [program = '', ...args] = command;
  const run = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const output = `${run.stdout}${run.stderr}`;
  const ok = run.status === 0 && (proves?.(output) ?? true);
  if (!ok) failed.push(name);
  console.log(`${ok ? styleText('green', 'ok    ') : styleText('red', 'failed')} ${name}`);
  if (!ok) console.log(output);
}
if (failed.length > 0) {
  console.log(`\nfailed: ${failed.join(', ')}. \`npm run fix\` mends format, simple lint and reference pages.`);
  process.exitCode = 1;
}
