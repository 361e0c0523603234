import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import os from 'node:os';
import type { Clock } from '../std/clock.ts';

/**
 * How busy the machine is: the whole machine, or the control group this process is bound to where that is smaller.
 * Power is apart (`power.ts`): it is told only where a machine measures it.
 */
export type NodeUsage = {
  /** Part of the processors in use since the last sample, 0..1; 0 in the first one. */
  readonly cpuRatio: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
};

/** Processor time since some start: `busy` of `total`, both in the same unit. */
export type CpuReading = { readonly busy: number; readonly total: number };

/** The part of the time between two readings that was busy, 0..1. */
export const cpuRatio = (before: CpuReading, after: CpuReading): number => {
  const total = after.total - before.total;
  return total > 0 ? Math.min(1, Math.max(0, (after.busy - before.busy) / total)) : 0;
};

/** Samples usage; each call measures from the one before. `cgroup` is where the control group's files are. */
export const createNodeUsage = (
  clock: Pick<Clock, 'monotonic'>,
  cgroup = '/sys/fs/cgroup',
): (() => Promise<NodeUsage>) => {
  let last: CpuReading | undefined;
  return async () => {
    const reading = (await groupReading(cgroup, clock)) ?? machineReading(os.cpus());
    const ratio = last === undefined ? 0 : cpuRatio(last, reading);
    last = reading;
    return { cpuRatio: ratio, ...memory() };
  };
};

export const machineReading = (cpus: readonly { readonly times: os.CpuInfo['times'] }[]): CpuReading => {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, total: busy + idle };
};

/** Processors that `cpu.max` grants (`QUOTA PERIOD`, microseconds); undefined where it sets no bound. */
export const grantedCpus = (cpuMax: string): number | undefined => {
  const [quota, period] = cpuMax.trim().split(/\s+/).map(Number);
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return undefined;
  return quota / period;
};

/** Microseconds of processor time in `cpu.stat`. */
export const usedCpuMicros = (cpuStat: string): number | undefined => {
  const match = /^usage_usec (\d+)$/m.exec(cpuStat);
  return match?.[1] === undefined ? undefined : Number(match[1]);
};

const groupReading = async (folder: string, clock: Pick<Clock, 'monotonic'>): Promise<CpuReading | undefined> => {
  const cpus = grantedCpus(await textOf(join(folder, 'cpu.max')));
  const used = usedCpuMicros(await textOf(join(folder, 'cpu.stat')));
  if (cpus === undefined || used === undefined) return undefined;
  return { busy: used, total: clock.monotonic() * 1000 * cpus };
};

/** A missing file means that there is no such bound. */
const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

const memory = (): Pick<NodeUsage, 'memoryUsedBytes' | 'memoryTotalBytes'> => {
  const bound = process.constrainedMemory();
  const total = os.totalmem();
  if (bound > 0 && bound < total) {
    return { memoryTotalBytes: bound, memoryUsedBytes: Math.max(0, bound - process.availableMemory()) };
  }
  return { memoryTotalBytes: total, memoryUsedBytes: total - os.freemem() };
};
