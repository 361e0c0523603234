import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../std/clock.ts';
import { agentInstruments } from './agent-instruments.ts';
import { createPowerMeter } from './power.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-power-'));
});

afterEach(async () => rm(folder, { recursive: true }));

const write = async (files: Readonly<Record<string, string | number>>): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${content}\n`);
  }
};

const range = 262_143_328_850;

const zone = (name: string, kind: string, microjoules: number): Record<string, string | number> => ({
  [`powercap/${name}/name`]: kind,
  [`powercap/${name}/energy_uj`]: microjoules,
  [`powercap/${name}/max_energy_range_uj`]: range,
});

const meter = (clock = new ManualClock()) =>
  createPowerMeter(clock, { powercap: join(folder, 'powercap'), hwmon: join(folder, 'hwmon') });

describe('power', () => {
  it('is not told where nothing measures it', async () => {
    const power = meter();
    expect([await power(), await power()]).toEqual([undefined, undefined]);
  });

  it('is the energy of processors and memory over time, without what is in them already', async () => {
    const clock = new ManualClock();
    const power = meter(clock);
    await write({ ...zone('intel-rapl:0', 'package-0', 1_000_000), ...zone('intel-rapl:1', 'package-1', 0) });
    await write({ ...zone('intel-rapl:0:0', 'core', 5), ...zone('intel-rapl:0:1', 'dram', 500_000) });
    await write({ ...zone('intel-rapl-mmio:0', 'package-0', 7), 'powercap/intel-rapl/enabled': 1 });
    expect(await power()).toBeUndefined();
    clock.advance(2_000);
    await write({ ...zone('intel-rapl:0', 'package-0', 61_000_000), ...zone('intel-rapl:1', 'package-1', 40_000_000) });
    await write({ ...zone('intel-rapl:0:0', 'core', 50_000_000), ...zone('intel-rapl:0:1', 'dram', 6_500_000) });
    expect(await power()).toBeCloseTo(53);
  });

  it('takes the counter of the whole platform where there is one', async () => {
    const clock = new ManualClock();
    const power = meter(clock);
    await write({ ...zone('intel-rapl:0', 'package-0', 0), ...zone('intel-rapl:1', 'psys', 0) });
    await power();
    clock.advance(1_000);
    await write({ ...zone('intel-rapl:0', 'package-0', 9_000_000), ...zone('intel-rapl:1', 'psys', 12_000_000) });
    expect(await power()).toBeCloseTo(12);
  });

  it('goes on when a counter begins anew', async () => {
    const clock = new ManualClock();
    const power = meter(clock);
    await write(zone('intel-rapl:0', 'package-0', range - 3_000_000));
    await power();
    clock.advance(1_000);
    await write(zone('intel-rapl:0', 'package-0', 2_000_000));
    expect(await power()).toBeCloseTo(5);
  });

  it('is not told where a counter may not be read, or came since', async () => {
    const clock = new ManualClock();
    const power = meter(clock);
    await write({ ...zone('intel-rapl:0', 'package-0', 0) });
    await power();
    clock.advance(1_000);
    await write({ ...zone('intel-rapl:0', 'package-0', 1), ...zone('intel-rapl:1', 'package-1', 1) });
    expect(await power()).toBeUndefined();
    clock.advance(1_000);
    await rm(join(folder, 'powercap/intel-rapl:1/energy_uj'));
    expect(await power()).toBeUndefined();
  });

  it('is what the meter of the whole machine says, at once', async () => {
    await write({ 'hwmon/hwmon0/name': 'coretemp', 'hwmon/hwmon0/power1_input': 1 });
    await write({ 'hwmon/hwmon3/name': 'power_meter', 'hwmon/hwmon3/power1_average': 184_000_000 });
    await write(zone('intel-rapl:0', 'package-0', 0));
    expect(await meter()()).toBe(184);
  });

  it('is a metric while it is measured, and no metric otherwise', async () => {
    const instruments = agentInstruments();
    const series = async () =>
      ((await instruments.metrics()) as { name: string; values: { value: number }[] }[]).find(
        ({ name }) => name === 'skein_node_power_watts',
      )?.values[0]?.value;
    expect(await series()).toBeUndefined();
    instruments.power(42.5);
    expect(await series()).toBe(42.5);
    instruments.power(undefined);
    expect(await series()).toBeUndefined();
  });
});
