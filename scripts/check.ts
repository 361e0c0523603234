/** `npm run check`: everything that must hold before a push. Runs all checks, then says which failed. */
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
  { name: 'unit tests', command: ['vitest', 'run', '--project', 'unit'] },
];

const wanted = process.argv.slice(2);
const failed: string[] = [];
for (const { name, command, proves } of checks) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const [program = '', ...args] = command;
  const run = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const output = `${run.stdout}${run.stderr}`;
  const ok = run.status === 0 && (proves?.(output) ?? true);
  if (!ok) failed.push(name);
  console.log(`${ok ? styleText('green', 'ok    ') : styleText('red', 'failed')} ${name}`);
  if (!ok) console.log(output);
}
if (failed.length > 0) {
  console.log(`\nfailed: ${failed.join(', ')}. \`npm run fix\` mends format and simple lint.`);
  process.exitCode = 1;
}
