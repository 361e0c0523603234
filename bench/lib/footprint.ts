import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pssOf, roleOf, treeOf, type ProcessInfo, type Role } from './processes.ts';
import { sum } from './statistics.ts';

/** What one process holds. Linux only: it reads /proc. */
export type Held = {
  readonly pid: number;
  readonly role: Role;
  readonly pssBytes: number;
  readonly rssBytes: number;
  /** Open descriptors by what they are: `unix`, `tcp`, `pipe`, `eventpoll`, the name of a file. */
  readonly descriptors: Readonly<Record<string, number>>;
};

/**
 * A process and all below it; what ended while it was looked at is left out. Between one and the next others have their
 * turn: the kernel takes milliseconds to count a process's pages, and a load that is being sent must not wait.
 */
export const heldBy = async (root: number): Promise<readonly Held[]> => {
  const sockets = socketKinds();
  const all: Held[] = [];
  for (const one of treeOf(root)) {
    const held = holding(one, sockets);
    if (held !== undefined) all.push(held);
    await turn();
  }
  return all;
};

const holding = (one: ProcessInfo, sockets: ReadonlyMap<string, string>): Held | undefined => {
  try {
    const { pid } = one;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const rssBytes = 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return { pid, role: roleOf(one), pssBytes: pssOf(pid), rssBytes, descriptors: descriptorsOf(pid, sockets) };
  } catch {
    return undefined;
  }
};

export const countOf = ({ descriptors }: Held): number => sum(Object.values(descriptors));

/** Entries below a folder by the first two parts of their path, and the bytes in them. A link to a folder of sockets counts too. */
export const filesBelow = (
  folder: string,
): { readonly counts: Readonly<Record<string, number>>; readonly bytes: number } => {
  const counts: Record<string, number> = {};
  let bytes = 0;
  const places = [
    [folder, ''],
    [join(folder, 'run'), 'run/'],
  ] as const;
  for (const [place, prefix] of places) {
    for (const path of entriesOf(place)) {
      const group = `${prefix}${path}`
        .split('/')
        .slice(0, 2)
        .join('/')
        .replaceAll(/r[0-9a-f]{10}w?/g, 'REPLICA');
      counts[group] = (counts[group] ?? 0) + 1;
      bytes += sizeOf(join(place, path));
    }
  }
  return { counts, bytes };
};

const entriesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(realpathSync(folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
};

const sizeOf = (path: string): number => {
  try {
    const found = statSync(path);
    return found.isFile() ? found.size : 0;
  } catch {
    return 0;
  }
};

const descriptorsOf = (pid: number, sockets: ReadonlyMap<string, string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(`/proc/${pid}/fd/${name}`, sockets);
    if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
};

const kindOf = (link: string, sockets: ReadonlyMap<string, string>): string | undefined => {
  try {
    const target = readlinkSync(link);
    const socket = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (socket !== undefined) return sockets.get(socket) ?? 'socket';
    const plain = /^(\w+):\[\d+\]$/.exec(target)?.[1] ?? /^anon_inode:\[?(\w+)\]?$/.exec(target)?.[1];
    return (
      plain ??
      target
        .split('/')
        .at(-1)
        ?.replaceAll(/r[0-9a-f]{10}/g, 'REPLICA')
    );
  } catch {
    return undefined;
  }
};

/** Socket inodes of this machine, by what they are. */
const socketKinds = (): ReadonlyMap<string, string> => {
  const lines = (file: string): readonly (readonly string[])[] =>
    readFileSync(`/proc/net/${file}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  return new Map([
    ...lines('unix').map((fields) => [fields[6] ?? '', 'unix'] as const),
    ...[...lines('tcp'), ...lines('tcp6')].map((fields) => [fields[9] ?? '', 'tcp'] as const),
  ]);
};
