import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../std/clock.ts';

export type PowerFolders = {
  /** Energy counters of processors (RAPL). Linux lets only root read them unless told otherwise. */
  readonly powercap: string;
  /** Sensors; of those only the ACPI power meter is used, which measures the whole machine. */
  readonly hwmon: string;
};

const systemFolders: PowerFolders = { powercap: '/sys/class/powercap', hwmon: '/sys/class/hwmon' };

/** One energy counter: microjoules since some start, and where it begins anew. */
type Counter = { readonly zone: string; readonly microjoules: number; readonly range: number };

/**
 * Samples what the machine draws, in watts: from its power meter, else from the energy counters of its processors, which leave out
 * disks, fans and the like; each call then measures from the one before. Undefined where nothing is measured: nothing is estimated.
 */
export const createPowerMeter = (
  clock: Pick<Clock, 'monotonic'>,
  folders: PowerFolders = systemFolders,
): (() => Promise<number | undefined>) => {
  let last: { readonly atMs: number; readonly counters: readonly Counter[] } | undefined;
  return async () => {
    const metered = await meteredWatts(folders.hwmon);
    if (metered !== undefined) return metered;
    const before = last;
    const now = { atMs: clock.monotonic(), counters: await energyCounters(folders.powercap) };
    last = now;
    if (before === undefined || now.atMs <= before.atMs) return undefined;
    const used = usedMicrojoules(before.counters, now.counters);
    return used === undefined ? undefined : used / 1000 / (now.atMs - before.atMs);
  };
};

/** A counter that went back began anew at its range. Undefined when there are none, or others than before. */
const usedMicrojoules = (before: readonly Counter[], after: readonly Counter[]): number | undefined => {
  if (after.length === 0 || before.length !== after.length) return undefined;
  let used = 0;
  for (const [index, { zone, microjoules, range }] of after.entries()) {
    const earlier = before[index];
    if (earlier?.zone !== zone) return undefined;
    const grown = microjoules - earlier.microjoules;
    used += grown >= 0 ? grown : grown + range;
  }
  return used;
};

const meteredWatts = async (folder: string): Promise<number | undefined> => {
  for (const sensor of await names(folder)) {
    const path = join(folder, sensor);
    if ((await textOf(join(path, 'name'))) !== 'power_meter') continue;
    const microwatts = (await numberIn(join(path, 'power1_average'))) ?? (await numberIn(join(path, 'power1_input')));
    if (microwatts !== undefined) return microwatts / 1_000_000;
  }
  return undefined;
};

/**
 * One that counts the whole platform (`psys`) stands for all; else the processors, and beside each its memory, which no processor's
 * counter includes as it does those of its cores.
 */
const energyCounters = async (folder: string): Promise<readonly Counter[]> => {
  const zones = (await names(folder)).filter((name) => /^intel-rapl:\d+(:\d+)?$/.test(name)).sort();
  const named = await Promise.all(
    zones.map(async (zone) => ({
      zone,
      name: await textOf(join(folder, zone, 'name')),
      inner: zone.split(':').length > 2,
    })),
  );
  const whole = named.filter(({ name, inner }) => name === 'psys' && !inner);
  const counted = whole.length > 0 ? whole : named.filter(({ name, inner }) => !inner || name === 'dram');
  const read = await Promise.all(
    counted.map(async ({ zone }): Promise<Counter | undefined> => {
      const microjoules = await numberIn(join(folder, zone, 'energy_uj'));
      const range = await numberIn(join(folder, zone, 'max_energy_range_uj'));
      return microjoules === undefined || range === undefined ? undefined : { zone, microjoules, range };
    }),
  );
  // A part of them would be told as if it were all.
  return read.every((counter) => counter !== undefined) ? read : [];
};

const names = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => []);

/** A file that is missing, or that this user may not read, measures nothing. */
const textOf = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();

const numberIn = async (path: string): Promise<number | undefined> => {
  const text = await textOf(path);
  return /^\d+$/.test(text) ? Number(text) : undefined;
};
