import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../std/clock.ts';

/** What a group of processes uses. */
export type ProcessUsage = {
  /** Processor time since the sample before, in thousandths of a core; 0 for a process that is seen for the first time. */
  readonly cpu: number;
  /** Memory that goes when they go: shared pages count in part where the machine tells. */
  readonly totalMemoryBytes: number;
};

/** Processor ticks since a process started, and when it was read. */
type Reading = { readonly startedAt: string; readonly ticks: number; readonly atMs: number };

/**
 * Samples processes of this machine (Linux; elsewhere all is 0). Each call measures from the one before, so it is called at
 * intervals, always with all pids of the group; those that are gone count nothing. `folder` is where `PID/stat` is.
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
        const stat = parseStat(await textOf(`${folder}/${pid}/stat`));
        if (stat === undefined) return;
        const reading = { ...stat, atMs: clock.monotonic() };
        readings.set(pid, reading);
        cpu += millicores(last.get(pid), reading, perSecond);
        const bytes = await memoryOf(`${folder}/${pid}`);
        totalMemoryBytes += bytes;
      }),
    );
    last = readings;
    return { cpu, totalMemoryBytes };
  };
};

/** A number that another process took over is a new process. */
const millicores = (before: Reading | undefined, after: Reading, perSecond: number): number => {
  if (before === undefined || before.startedAt !== after.startedAt || after.atMs <= before.atMs) return 0;
  const seconds = (after.ticks - before.ticks) / perSecond;
  return Math.max(0, (seconds * 1_000_000) / (after.atMs - before.atMs));
};

/** User and system ticks and the start time out of `/proc/PID/stat`; the command in it may hold blanks and brackets. */
export const parseStat = (text: string): Pick<Reading, 'startedAt' | 'ticks'> | undefined => {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
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
