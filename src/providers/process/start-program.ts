import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
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
    throw new SkeinError('unavailable', `"${program.command}" could not be started: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await log.close();
  }
};

/** A program by name: `node` is the runtime's own, then the bundle's file, then PATH. `invalid` when there is none. */
export const findCommand = async (name: string, bundleFolder: string, path: string): Promise<string> => {
  if (name === 'node') return process.execPath;
  const folders = name.startsWith('/') ? [''] : [bundleFolder, ...(name.includes('/') ? [] : path.split(delimiter))];
  for (const folder of name === '' ? [] : folders) {
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  throw new SkeinError('invalid', `the program "${name}" is neither an executable file of the bundle nor on PATH`);
};

const isExecutable = async (file: string): Promise<boolean> => {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
};
