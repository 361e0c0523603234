import { constants } from 'node:fs';
import { access, open, readdir, stat } from 'node:fs/promises';
import { basename, delimiter, join, resolve } from 'node:path';
import { SkeinError } from '../../domain/errors.ts';

/**
 * A program by name: `node` is the runtime's own, then the bundle's file, then PATH. `invalid` when there is none, or it cannot run
 * on this machine.
 */
export const findCommand = async (name: string, bundleFolder: string, path: string): Promise<string> => {
  if (name === 'node') return process.execPath;
  const own = resolve(bundleFolder, name);
  const file = name !== '' && (await isExecutable(own)) ? own : await findOnPath(name, path);
  if (file === undefined) throw new SkeinError('invalid', await whyNone(name, own));
  const why = await whyNotHere(file, bundleFolder, path);
  if (why !== undefined) throw new SkeinError('invalid', `"${name}" cannot run on this machine: ${why}`);
  return file;
};

/** What a shell would start. Undefined when there is nothing, or `name` is a path. */
export const findOnPath = async (name: string, path: string): Promise<string | undefined> => {
  if (name === '' || name.includes('/')) return undefined;
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  return undefined;
};

const isExecutable = async (file: string): Promise<boolean> => {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
};

const whyNone = async (name: string, own: string): Promise<string> => {
  const found = name === '' ? undefined : await stat(own).catch(() => undefined);
  const where = name.startsWith('/') ? 'on this machine' : `in the bundle${name.includes('/') ? '' : ' or on PATH'}`;
  if (found === undefined) return `there is no program "${name}" ${where}`;
  if (found.isFile()) return `"${name}" is there, but is not executable: chmod +x it, and build the bundle again`;
  return `"${name}" is no file, so it cannot be run`;
};

/** Told beforehand: a shell would take what the system refuses as a script, and what it says of that helps nobody. */
const whyNotHere = async (file: string, folder: string, path: string): Promise<string | undefined> => {
  const head = await headOf(file);
  if (head === undefined) return undefined;
  if (head.toString('latin1', 0, 2) === '#!') return whyNoInterpreter(head.toString(), folder, path);
  const [made, here] = [formatOf(head), formatOf((await headOf(process.execPath)) ?? Buffer.alloc(0))];
  if (made === undefined || here === undefined || made === here || alsoRuns[here] === made) return undefined;
  return (await hasEmulators()) ? undefined : `it is a program for ${made}, and this is ${here}`;
};

const whyNoInterpreter = async (head: string, folder: string, path: string): Promise<string | undefined> => {
  const [line = ''] = head.split('\n');
  const [interpreter = '', name = ''] = line
    .slice(2)
    .trimStart()
    .split(/[ \t]+/);
  const named = (what: string): string => `its first line names ${JSON.stringify(what)}, which is not there`;
  if (!(await isExecutable(resolve(folder, interpreter)))) return named(interpreter);
  // Options and assignments of env are its own affair.
  if (basename(interpreter) !== 'env' || !/^[\w.+-]+\r?$/.test(name) || name.startsWith('-')) return undefined;
  return (await findOnPath(name, path)) === undefined ? named(name) : undefined;
};

/** As much as the system reads to see what a file is. Undefined for what may be run but not read. */
const headOf = async (path: string): Promise<Buffer | undefined> => {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
};

/** What a program was compiled for; undefined when it does not say. */
const formatOf = (head: Buffer): string | undefined => {
  if (head.length < 20) return undefined;
  const magic = head.readUInt32BE(0);
  if (magic === 0x7f454c46) {
    const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18);
    return `Linux on ${machines[machine] ?? `machine ${machine}`}`;
  }
  if (machO.has(magic)) return 'macOS';
  return head.toString('latin1', 0, 2) === 'MZ' ? 'Windows' : undefined;
};

const machO: ReadonlySet<number> = new Set([0xcffaedfe, 0xcefaedfe, 0xcafebabe]);

/** Numbers of ELF. */
const machines: Readonly<Record<number, string>> = {
  3: 'x86',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 's390x',
  40: 'ARM',
  62: 'x86-64',
  183: 'ARM64',
  243: 'RISC-V',
  258: 'LoongArch',
};

const alsoRuns: Readonly<Record<string, string>> = {
  'Linux on x86-64': 'Linux on x86',
  'Linux on ARM64': 'Linux on ARM',
};

/** Whether the system was told how to run what is for others (binfmt_misc): then nobody knows beforehand. */
const hasEmulators = async (): Promise<boolean> => {
  const known = await readdir('/proc/sys/fs/binfmt_misc').catch(() => []);
  return known.some((name) => name !== 'register' && name !== 'status');
};
