import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPidFile } from '../../src/std/pid-file.ts';
import { sum } from './statistics.ts';

/** Of the kernel's clock ticks in /proc: `USER_HZ`, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export type ProcessInfo = {
  readonly pid: number;
  readonly parent: number;
  /** User and system time since it started, milliseconds; steps of 10. */
  readonly cpuMs: number;
  readonly command: string;
};

/** A process and everything below it. Linux only: it reads /proc. */
export const treeOf = (root: number): readonly ProcessInfo[] => {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(Number(name)) ?? []);
  const below = (pid: number): readonly ProcessInfo[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...below(child.pid)]);
  return [...all.filter(({ pid }) => pid === root), ...below(root)];
};

const read = (pid: number): ProcessInfo | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field may hold anything, spaces and parentheses too: fields count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { pid, parent: Number(fields[1]), cpuMs: (ticks * 1000) / ticksPerSecond, command };
  } catch {
    return undefined;
  }
};

export const cpuMsOf = (processes: readonly ProcessInfo[]): number => sum(processes.map(({ cpuMs }) => cpuMs));

/** The processes of a node's data plane, by the pid files in the node's folder. */
export const planeOf = (folder: string): readonly ProcessInfo[] =>
  ['plane.pid', 'waiting.pid'].flatMap((name) => {
    const found = readPidFile(join(folder, name));
    return found === undefined ? [] : treeOf(found.pid);
  });

/** Proportional set size, bytes: shared pages count by the share of each process, so that sums are true. 0 once it is gone. */
export const pssOf = (pid: number): number => {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return 1024 * Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
  } catch {
    return 0;
  }
};

export type Role = 'up' | 'agent' | 'plane' | 'worker' | 'other';

/** What a process of Skein is, by its command line. */
export const roleOf = ({ command }: ProcessInfo): Role => {
  // Only workers run under Node's permission model.
  if (command.includes(' --permission ')) return 'worker';
  if (/dataplanes\/\S*main\.[jt]s/.test(command)) return 'plane';
  if (/cli\/main\.[jt]s node\b/.test(command)) return 'agent';
  return /cli\/main\.[jt]s up\b/.test(command) ? 'up' : 'other';
};

/** CPU of a node's processes, milliseconds since they started; those that ended meanwhile are not in it. */
export const cpuByRole = (root: number): Readonly<Record<Role, number>> => {
  const totals: Record<Role, number> = { up: 0, agent: 0, plane: 0, worker: 0, other: 0 };
  for (const one of treeOf(root)) totals[roleOf(one)] += one.cpuMs;
  return totals;
};
