import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../std/clock.ts';
import { createProcessUsage, parseStat } from './process-usage.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-proc-'));
});

afterEach(async () => rm(folder, { recursive: true }));

const stat = (ticks: number, startedAt = 77, ofEnded = 0): string =>
  `42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 ${ticks} 0 ${ofEnded} 0 20 0 11 0 ${startedAt} 0 0 0`;

const write = async (pid: number, text: string, more: Readonly<Record<string, string>> = {}): Promise<void> => {
  await mkdir(join(folder, String(pid)), { recursive: true });
  for (const [name, content] of Object.entries({ stat: text, ...more })) {
    await writeFile(join(folder, String(pid), name), content);
  }
};

describe('what processes use', () => {
  it('is the processor time since the sample before, over all of them', async () => {
    const clock = new ManualClock();
    const usage = createProcessUsage(clock, folder);
    await write(1, stat(100), { smaps_rollup: 'x\nPss:    10 kB\nPss_Dirty: 5 kB\n' });
    await write(2, stat(500), { status: 'Name: x\nVmRSS:\t  20 kB\n' });
    expect(await usage([1, 2, 3])).toEqual({ cpu: 0, totalMemoryBytes: 30 * 1024 });
    clock.advance(2_000);
    await write(1, stat(150));
    await write(2, stat(600));
    expect((await usage([1, 2])).cpu).toBeCloseTo(750);
  });

  it('is with all that they started, also what has ended since', async () => {
    const clock = new ManualClock();
    const usage = createProcessUsage(clock, folder);
    const children = async (text: string): Promise<void> => {
      await mkdir(join(folder, '1/task/9'), { recursive: true });
      await writeFile(join(folder, '1/task/9/children'), text);
    };
    await write(1, stat(100), { smaps_rollup: 'Pss:    10 kB\n' });
    await write(2, stat(40), { smaps_rollup: 'Pss:    5 kB\n' });
    await children('2 3 ');
    expect(await usage([1])).toEqual({ cpu: 0, totalMemoryBytes: 15 * 1024 });
    clock.advance(1_000);
    await write(1, stat(110, 77, 90));
    await children('');
    expect((await usage([1])).cpu).toBeCloseTo(600);
  });

  it('begins anew when a number belongs to another process', async () => {
    const clock = new ManualClock();
    const usage = createProcessUsage(clock, folder);
    await write(1, stat(100));
    await usage([1]);
    clock.advance(1_000);
    await write(1, stat(900, 78));
    expect((await usage([1])).cpu).toBe(0);
  });

  it('reads commands with blanks and brackets, and nothing out of what is no stat', () => {
    expect(parseStat(stat(5))).toEqual({ ticks: 5, startedAt: '77' });
    for (const text of ['', 'x', '1 (a) S 1']) expect(parseStat(text)).toBeUndefined();
  });

  it.runIf(process.platform === 'linux')('is measured on real processes', async () => {
    const busy = spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(busy.stdout, 'data');
    const usage = createProcessUsage(systemClock);
    const first = await usage([busy.pid ?? 0]);
    expect(first.totalMemoryBytes).toBeGreaterThan(1024 * 1024);
    let { cpu } = first;
    for (let tries = 0; cpu === 0 && tries < 10_000; tries++) cpu = (await usage([busy.pid ?? 0])).cpu;
    busy.kill('SIGKILL');
    await once(busy, 'exit');
    expect(cpu).toBeGreaterThan(0);
    expect(await usage([busy.pid ?? 0])).toEqual({ cpu: 0, totalMemoryBytes: 0 });
  });
});
