import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const skeinProgram = join(import.meta.dirname, '../../../bin/skein');

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Instead of `bin/skein`. */
  readonly program?: string;
};

/** Runs the program itself in a process of its own, without what this process's environment says of Skein. */
export const runSkein = (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
  const own = Object.entries(process.env).filter(([name]) => !/^(SKEIN_|OPENFAAS_)/.test(name));
  const child = spawn(options.program ?? skeinProgram, args, {
    env: { ...Object.fromEntries(own), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.on('error', () => {}).end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
};
