import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Room } from './room.ts';

export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it runs. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its output goes; made if need be. */
  readonly logFile: string;
  /** What it finds on its standard input; default nothing. */
  readonly input?: string;
  /** Whose mounts it sees; default those of this process. */
  readonly room?: Room | undefined;
};

/** Starts a program in a process group of its own, which this process does not wait for. `unavailable`. */
export const startProgram = async (program: Program): Promise<ChildProcess & { readonly pid: number }> => {
  const { folder, env, logFile, input, room } = program;
  const { command, args } = room?.enter(program) ?? program;
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = await open(logFile, 'a', 0o600);
  try {
    const stdin = input === undefined ? 'ignore' : 'pipe';
    const child = spawn(command, args, { cwd: folder, env, stdio: [stdin, log.fd, log.fd], detached: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once('spawn', resolve).once('error', reject);
    await promise;
    // One that ends before it read says why by how it ends.
    child.stdin?.on('error', () => {}).end(input);
    child.unref();
    return child as ChildProcess & { readonly pid: number };
  } catch (error) {
    throw new SkeinError('unavailable', `"${program.command}" could not be started: ${whyNot(program, error)}`, {
      cause: error,
    });
  } finally {
    await log.close();
  }
};

/** The system calls it the same when a program is not there and when what it needs to be loaded is not. */
const whyNot = ({ command, folder }: Program, error: unknown): string => {
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  if (missing && !existsSync(folder)) return `its folder ${folder} is gone`;
  if (missing && existsSync(command)) return 'what is to load it, as its head says, is not on this machine';
  return messageOf(error);
};
