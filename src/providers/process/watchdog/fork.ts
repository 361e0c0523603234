import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { type Children, signalGroup } from './children.ts';
import type { Pipe, Pipes } from './pipes.ts';

export type ForkNeeds = {
  readonly program: string;
  /** The program's name as deployed, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly folder: string;
  readonly pipes: Pipes;
  readonly children: Children;
};

export type ForkOptions = {
  readonly env: Readonly<Record<string, string>>;
  /** A file that it reads, which is closed here; or what the caller writes to `stdin`. */
  readonly stdin: number | 'pipe';
  /** Whether stderr goes where stdout goes. */
  readonly combine: boolean;
};

export type Fork = {
  /** Only when it was asked for. */
  readonly stdin: Writable | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket | undefined;
  /** Resolves, never rejects: undefined when all was well, else what Go would say (`exit status 3`, `signal: killed`). */
  readonly failure: Promise<string | undefined>;
  /** Ends it and its children. */
  kill(): void;
};

/** Starts the process of one request, in a process group of its own. */
export const fork = async (needs: ForkNeeds, { env, stdin, combine }: ForkOptions): Promise<Fork> => {
  let out: Pipe | undefined;
  let err: Pipe | undefined;
  try {
    out = await needs.pipes.take();
    err = combine ? undefined : await needs.pipes.take();
  } catch (error) {
    if (out !== undefined) close(out.read, out.write);
    if (stdin !== 'pipe') closeSync(stdin);
    throw error;
  }
  const [argv0, ...args] = needs.argv;
  let child: ChildProcess | string;
  try {
    const stdio = [stdin, out.write, (err ?? out).write];
    child = spawn(needs.program, args, { argv0, cwd: needs.folder, env, stdio, detached: true });
  } catch (error) {
    child = (error as Error).message;
  }
  // Once only the process has the other ends, their closing tells that it is done.
  close(out.write, ...(err === undefined ? [] : [err.write]), ...(stdin === 'pipe' ? [] : [stdin]));
  const pid = typeof child === 'string' ? undefined : child.pid;
  if (pid !== undefined) needs.children.began(pid);
  const failure = typeof child === 'string' ? Promise.resolve(child) : ended(child, needs.children);
  let gone = pid === undefined;
  void failure.then(() => (gone = true));
  return {
    stdin: typeof child === 'string' ? undefined : (child.stdin ?? undefined),
    stdout: readEnd(out.read),
    stderr: err && readEnd(err.read),
    failure,
    kill: () => {
      // A pid that is free may be a stranger's next.
      if (!gone && pid !== undefined) signalGroup(pid, 'SIGKILL');
    },
  };
};

const close = (...files: readonly number[]): void => {
  for (const file of files) closeSync(file);
};

const readEnd = (fd: number): Socket => {
  const socket = new Socket({ fd, readable: true, writable: false });
  // What is lost with a broken pipe is told by how the process ended.
  return socket.on('error', () => {});
};

const ended = async (child: ChildProcess, children: Children): Promise<string | undefined> => {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  child.once('error', (error) => resolve(error.message));
  child.once('exit', (code, signal) => {
    if (child.pid !== undefined) children.ended(child.pid);
    resolve(signal !== null ? `signal: ${signals[signal] ?? signal}` : code === 0 ? undefined : `exit status ${code}`);
  });
  return promise;
};

/** As Go names them. */
const signals: { readonly [signal in NodeJS.Signals]?: string } = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace/breakpoint trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
};
