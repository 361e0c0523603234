import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../std/clock.ts';
import { cpuRatio, createNodeUsage, grantedCpus, machineReading, usedCpuMicros } from './node.ts';

describe('the use of processors', () => {
  it('is the busy part of the time between two readings', () => {
    expect(cpuRatio({ busy: 10, total: 100 }, { busy: 40, total: 200 })).toBe(0.3);
  });

  it('is a ratio whatever the counters do', () => {
    const reading = fc.record({ busy: fc.double({ noNaN: true, min: 0 }), total: fc.double({ noNaN: true, min: 0 }) });
    fc.assert(
      fc.property(reading, reading, (before, after) => {
        const ratio = cpuRatio(before, after);
        expect(ratio >= 0 && ratio <= 1).toBe(true);
      }),
    );
  });

  it('counts every kind of work as busy', () => {
    const times = { user: 1, nice: 2, sys: 3, idle: 10, irq: 4 };
    expect(machineReading([{ times }, { times }])).toEqual({ busy: 20, total: 40 });
  });

  it('reads what a control group grants', () => {
    expect(grantedCpus('50000 100000\n')).toBe(0.5);
    for (const text of ['max 100000\n', '', 'x', '0 0']) expect(grantedCpus(text)).toBeUndefined();
    expect(usedCpuMicros('user_usec 1\nusage_usec 123\n')).toBe(123);
    expect(usedCpuMicros('')).toBeUndefined();
  });

  it('is measured against the control group where that is bounded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skein-cgroup-'));
    const clock = new ManualClock();
    const sample = createNodeUsage(clock, folder);
    await writeFile(join(folder, 'cpu.max'), '200000 100000\n');
    await writeFile(join(folder, 'cpu.stat'), 'usage_usec 1000000\n');
    expect((await sample()).cpuRatio).toBe(0);
    clock.advance(1000);
    await writeFile(join(folder, 'cpu.stat'), 'usage_usec 1500000\n');
    expect((await sample()).cpuRatio).toBe(0.25);
    await rm(folder, { recursive: true });
  });

  it('of this machine makes sense, and so does its memory', async () => {
    const sample = createNodeUsage(new ManualClock(), '/nowhere');
    await sample();
    const usage = await sample();
    expect(usage.cpuRatio).toBeGreaterThanOrEqual(0);
    expect(usage.memoryUsedBytes).toBeGreaterThan(0);
    expect(usage.memoryTotalBytes).toBeGreaterThan(usage.memoryUsedBytes);
  });
});
