import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../std/clock.ts';

/** What a group of processes uses. */
export type ProcessUsage = {
  /** Processor time since the sample before, in thousandths of a core; 0 for a process that is seen for the first time. */
  readonly cpu: number;
  /** Memory that goes when they go: shared pages count in part where the machine tells. */
  readonly totalMemoryBytes: number;
};

/** Processor ticks of a process and of all that it started, and when it was read. */
type Reading = { readonly startedAt: string; readonly ticks: number; readonly atMs: number };

/**
 * Samples processes of this machine with all that they started (Linux; elsewhere all is 0). Each call measures from the one
 * before, so it is called at intervals, always with all pids of the group; those that are gone count nothing. `folder` is where
 * `PID/stat` is.
 */
export const createProcessUsage = (
  clock: Pick<Clock, 'monotonic'>,
  folder = '/proc',
): ((pids: readonly number[]) => Promise<ProcessUsage>) => {
  let last = new Map<number, Reading>();
  return async (pids) => {
    const perSecond = await ticksPerSecond();
    const readings = new Map<number, Reading>();
    let cpu = 0;
    let totalMemoryBytes = 0;
    await Promise.all(
      pids.map(async (pid) => {
        const family = await familyOf(folder, pid);
        if (family === undefined) return;
        const reading = { startedAt: family.startedAt, ticks: family.ticks, atMs: clock.monotonic() };
        readings.set(pid, reading);
        cpu += millicores(last.get(pid), reading, perSecond);
        totalMemoryBytes += family.bytes;
      }),
    );
    last = readings;
    return { cpu, totalMemoryBytes };
  };
};

type Family = Pick<Reading, 'startedAt' | 'ticks'> & { readonly bytes: number };

/** More than these are not counted. */
const maxDeep = 8;
const maxChildren = 256;

/**
 * A process and what it started. The time of a child is its own while it lives and its parent's afterwards, so that each tick is
 * counted once, however short the child lived.
 */
const familyOf = async (folder: string, pid: number, deep = 0): Promise<Family | undefined> => {
  const own = `${folder}/${pid}`;
  const stat = parseStat(await textOf(`${own}/stat`));
  if (stat === undefined) return undefined;
  let { ticks } = stat;
  let bytes = await memoryOf(own);
  for (const child of deep < maxDeep ? await childrenOf(own) : []) {
    const family = await familyOf(folder, child, deep + 1);
    ticks += family?.ticks ?? 0;
    bytes += family?.bytes ?? 0;
  }
  return { startedAt: stat.startedAt, ticks, bytes };
};

/** Each thread has the children that it started. */
const childrenOf = async (folder: string): Promise<readonly number[]> => {
  const threads = await readdir(`${folder}/task`).catch(() => []);
  const lists = await Promise.all(threads.map((thread) => textOf(`${folder}/task/${thread}/children`)));
  const pids = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
  return pids.slice(0, maxChildren);
};

/** A number that another process took over is a new process. */
const millicores = (before: Reading | undefined, after: Reading, perSecond: number): number => {
  if (before === undefined || before.startedAt !== after.startedAt || after.atMs <= before.atMs) return 0;
  const seconds = (after.ticks - before.ticks) / perSecond;
  return Math.max(0, (seconds * 1_000_000) / (after.atMs - before.atMs));
};

/**
 * Ticks, of children that ended too, and the start time out of `/proc/PID/stat`; the command in it may hold blanks and brackets.
 */
export const parseStat = (text: string): Pick<Reading, 'startedAt' | 'ticks'> | undefined => {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const startedAt = fields[19];
  return text === '' || startedAt === undefined || !Number.isFinite(ticks) ? undefined : { ticks, startedAt };
};

const memoryOf = async (folder: string): Promise<number> => {
  const shared = /^Pss:\s+(\d+) kB$/m.exec(await textOf(`${folder}/smaps_rollup`))?.[1];
  if (shared !== undefined) return Number(shared) * 1024;
  // Another user's process keeps its maps to itself and tells its resident size to all.
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(await textOf(`${folder}/status`))?.[1];
  return Number(resident ?? 0) * 1024;
};

/** A process that has gone has no files. */
const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

const usualTicks = 100;
let known: Promise<number> | undefined;

const ticksPerSecond = (): Promise<number> => {
  known ??= promisify(execFile)('getconf', ['CLK_TCK']).then(
    ({ stdout }) => Number(stdout.trim()) || usualTicks,
    () => usualTicks,
  );
  return known;
};
