import { CommanderError } from 'commander';
import { SkeinError } from '../domain/errors.ts';
import { commands } from './commands.ts';
import { createProgram, plainArguments } from './program.ts';
import { UsageError } from './usage-error.ts';

/** A reader that has seen enough (`skein list | head -1`) is no fault. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
/** Nobody is left to be told. */
process.stderr.on('error', () => {});

try {
  await createProgram(commands).parseAsync(plainArguments(process.argv.slice(2)), { from: 'user' });
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong and returns the exit code: 1 failed, 2 usage. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const usage = error instanceof UsageError;
  const expected = usage || error instanceof SkeinError;
  const text = expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  for (const line of text.split('\n')) process.stderr.write(`skein: ${line}\n`);
  return usage ? 2 : 1;
}
