import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import type { LoadResult } from '../../src/loadtest/load-result.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

const cores = availableParallelism();
/** Twice what the cores can compute, and five times what the slots of the beginning can wait for. */
const rate = 40 * cores;
const cpuMs = 50;
const sleepMs = 500;

/** Long: probes and windows are counted in calls, and a busy machine has few of them. */
const limitMs = 120_000;

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('burn');
  federation = await Federation.start({
    slots: [1, 1],
    flags: ['--capacity-slots', 'auto', '--strategy-name', 'all-local'],
  });
  // Two functions, each with a run time of its own: to find out that one's has changed would take the node longer.
  for (const service of ['computing', 'waiting']) await federation.deployAs(bundles, { service, image: 'burn' });
  for (const service of ['computing', 'waiting']) await federation.everywhere(service);
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

const slots = async ({ metricsUrl }: TestNode): Promise<number> => {
  const text = await (await fetch(metricsUrl)).text();
  return Number(/^skein_capacity_slots (\d+)$/m.exec(text)?.[1]);
};

/** Under load until `wanted` comes about, and then for as long as `goOnMs`: that part is measured. */
const underLoad = async (path: string, goOnMs: number, wanted: () => Promise<void>): Promise<LoadResult> => {
  const target = `${federation.node(1).url}/function/${path}`;
  const end = new AbortController();
  const before = runLoad({ target, rate, durationMs: 2 * limitMs }, { signal: end.signal });
  try {
    await wanted();
  } finally {
    end.abort();
    await before;
  }
  return runLoad({ target, rate, durationMs: goOnMs });
};

test(
  'measured slots are few where calls compute, many where they wait, and peers are told',
  { timeout: 400_000 },
  async () => {
    const [one, two] = [federation.node(1), federation.node(2)];
    expect(await slots(one)).toBe(4 * cores);

    const computing = await underLoad(`computing?cpu=${cpuMs}`, 4_000, async () => {
      await until('few calls compute at once', async () => (await slots(one)) <= 3 * cores, limitMs);
    });
    expect(computing.succeeded).toBeGreaterThan(0);
    expect(Object.keys(computing.statuses).sort()).toEqual(['200', '503']);
    expect(computing.latencyMs.p50).toBeLessThan(10 * cpuMs);

    const waiting = await underLoad(`waiting?sleep=${sleepMs}`, 3_000, async () => {
      await until('many calls wait at once', async () => (await slots(one)) >= 8 * cores, limitMs);
      await until('the other node knows of it', async () => {
        const { members } = await two.status();
        return members.some(({ name, slots: told }) => name === one.name && told >= 6 * cores);
      });
    });
    expect(waiting.latencyMs.p50).toBeLessThan(4 * sleepMs);
    const { members } = await one.status();
    expect(members.find(({ name }) => name === one.name)!.slots).toBe(await slots(one));
  },
);
