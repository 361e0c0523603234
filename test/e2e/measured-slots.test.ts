import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { losses } from './outcome.ts';
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

/** Calls one of the functions at node-1 until `wanted` comes about. */
const underLoad = async (path: string, wanted: () => Promise<unknown>): Promise<void> => {
  const end = new AbortController();
  const loading = runLoad({ target: targetOf(path), rate, durationMs: 2 * limitMs }, { signal: end.signal });
  try {
    await wanted();
  } finally {
    end.abort();
    await loading;
  }
};

const targetOf = (path: string): string => `${federation.node(1).url}/function/${path}`;

test(
  'measured slots are few where calls compute, many where they wait, and peers are told, which all-local keeps idle',
  { timeout: 400_000 },
  async () => {
    const [one, two] = [federation.node(1), federation.node(2)];
    expect(await slots(one)).toBe(4 * cores);

    const path = `computing?cpu=${cpuMs}`;
    await underLoad(path, () =>
      until('few calls compute at once', async () => (await slots(one)) <= 3 * cores, limitMs),
    );
    const computing = await runLoad({ target: targetOf(path), rate, durationMs: 4_000 });
    expect(computing.succeeded).toBeGreaterThan(0);
    expect(Object.keys(computing.statuses).sort()).toEqual(['200', '503']);
    // Of the strategy all-local: what is too much is refused, while the other node has nothing to do.
    const { full = 0, 'queue-timeout': inVain = 0 } = computing.reasons;
    expect(full + inVain, JSON.stringify(losses(computing))).toBe(computing.failed);
    expect(Object.keys(computing.nodes)).toEqual([one.name]);

    await underLoad(`waiting?sleep=${sleepMs}`, async () => {
      await until('many calls wait at once', async () => (await slots(one)) >= 8 * cores, limitMs);
      await until('the other node knows of it', async () => {
        const { members } = await two.status();
        return members.some(({ name, slots: told }) => name === one.name && told >= 6 * cores);
      });
    });
    // What is measured may change between two questions.
    await until('the node and its metrics say the same', async () => {
      const { members } = await one.status();
      return members.find(({ name }) => name === one.name)?.slots === (await slots(one));
    });
  },
);
