import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { losses } from './outcome.ts';
import { until } from './until.ts';

/** Calls of 400 ms a second: what node-1 (4 slots) and node-2 (8) carry without node-3 (16), and what they cannot. */
const withoutThird = 22;
const notWithoutThird = 36;
/**
 * Calls a second that need more than node-1. Those that the frozen peer did not take come back after a second, all at once: with
 * `withoutThird` of them the others would work off what came back for longer than a call may wait.
 */
const withRoomForMore = 14;
/** From the death of a node on, in which the others notice and finish what they had begun. */
const noticedMs = 2_000;
const seconds = 1_000;

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('burn', 'mirror');
  federation = await Federation.start({ slots: [4, 8, 16] });
  await federation.deploy(bundles, 'burn');
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

/** At node-1. */
const burn = (ms: number): string => `${federation.node(1).url}/function/burn?sleep=${ms}`;

/** Resolves when node-3 serves calls that node-1 passes on. */
const shared = (): Promise<unknown> =>
  until('node-3 serves calls of the others', async () => {
    const { nodes } = await runLoad({ target: burn(400), rate: notWithoutThird, durationMs: 1_000 });
    return (nodes[federation.node(3).name]?.served ?? 0) > 0;
  });

test('an agent that is killed costs no call, and the next one adopts its data plane and its replicas', async () => {
  const node = federation.node(1);
  const end = new AbortController();
  const loading = runLoad({ target: burn(400), rate: 25, durationMs: 120 * seconds }, { signal: end.signal });
  await until('node-1 serves', async () => (await node.status()).traffic.served > 10);
  // Those of the first burst are there by now.
  await pause(1_000);
  const plane = node.planePid();
  const replicas = node.replicaPids('burn');
  expect(replicas.length).toBeGreaterThan(0);

  const agent = node.agentPid();
  await node.killAgent();
  await pause(1_500);
  expect(node.planePid()).toBe(plane);
  await node.restart();
  expect(node.agentPid()).not.toBe(agent);
  expect(node.planePid()).toBe(plane);
  expect(node.replicaPids('burn')).toEqual(expect.arrayContaining([...replicas]));

  // What the next agent decides by itself is put to the test as well.
  await pause(4_000);
  end.abort();
  expect(losses(await loading)).toEqual({});
  expect(node.planePid()).toBe(plane);
  // Some may have gone since then, because they were more than the load needs.
  expect(node.replicaPids('burn').filter((pid) => replicas.includes(pid)).length).toBeGreaterThan(0);

  await federation.whole();
  await federation.deploy(bundles, 'mirror');
  for (const { url } of federation.nodes) expect((await fetch(`${url}/function/mirror`)).status).toBe(200);
});

test('an agent that is killed while nothing happens leaves a data plane that answers, and peers that share with it', async () => {
  const node = federation.node(3);
  await federation.deployAs(bundles, { service: 'resting', image: 'mirror' });
  await federation.everywhere('resting');
  await node.skein('scale', 'resting', '0');
  await until('its last replica has gone', () => node.replicaPids('resting').length === 0);
  await node.killAgent();
  const result = await runLoad({ target: burn(100), rate: 30, durationMs: 2_000 });
  expect(losses(result)).toEqual({});
  expect((await node.call('burn?sleep=1')).status).toBe(200);
  await node.restart();
  await federation.whole();
  // What was at zero is found there.
  await federation.everywhere('resting');
  expect(await node.client().describe('resting')).toMatchObject({ replicas: 0, availableReplicas: 0 });
});

test('a peer that hangs delays calls without a body and loses none, and serves again when it goes on', async () => {
  const frozen = federation.node(3);
  await shared();

  frozen.freeze();
  const during = await runLoad({
    target: burn(400),
    rate: withRoomForMore,
    durationMs: 4_000,
    timeoutMs: 20 * seconds,
  });
  frozen.thaw();
  expect(losses(during)).toEqual({});
  expect(during.latencyMs.max).toBeLessThan(10 * seconds);

  await federation.whole();
  await shared();
});

test('a call whose body went to a peer that hangs ends with 504 at worst', async () => {
  const frozen = federation.node(3);
  frozen.freeze();
  const result = await runLoad({
    target: burn(400),
    rate: withoutThird,
    durationMs: 4_000,
    body: Buffer.from('short'),
    timeoutMs: 20 * seconds,
  });
  frozen.thaw();
  expect(result.errors).toEqual({});
  expect(Object.keys(result.statuses).filter((code) => code !== '200' && code !== '504')).toEqual([]);
  expect(result.succeeded).toBeGreaterThan(result.sent / 2);
  await federation.whole();
});

test('a node that is killed costs only the calls in flight at it, and takes load again once it is restarted', async () => {
  const victim = federation.node(3);
  await shared();

  let killedAtMs: number | undefined;
  const result = await runLoad(
    { target: burn(400), rate: withoutThird, durationMs: 8_000 },
    {
      onProgress: ({ elapsedMs }) => {
        if (killedAtMs !== undefined || elapsedMs < 1_900) return;
        victim.kill();
        // On a busy machine killing takes its time, and this is told late.
        killedAtMs = elapsedMs;
      },
    },
  );
  // Its slots, and those that were on their way to it.
  const most = victim.slots + 8;
  expect(result.failed, JSON.stringify(losses(result))).toBeLessThanOrEqual(most);
  expect(result.unsent).toBe(0);
  const from = (killedAtMs! + noticedMs) / 1_000;
  const later = result.perSecond.filter(({ second }) => second >= from);
  expect(later.length, 'it was killed too late to tell').toBeGreaterThan(0);
  expect(later.map(({ failed }) => failed)).toEqual(later.map(() => 0));

  // What it holds is missing where all are asked, and whoever asks is told.
  const waiting = (): Promise<Response> => federation.node(1).client().request('GET', '/system/queue');
  expect((await waiting()).headers.get('x-skein-unreachable')).toBe(victim.name);
  await victim.restart();
  await federation.whole();
  await federation.everywhere('burn');
  expect((await waiting()).headers.get('x-skein-unreachable')).toBeNull();
  await shared();
});
