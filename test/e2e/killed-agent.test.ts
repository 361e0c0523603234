import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { until } from './until.ts';

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

test('an agent that is killed costs no call, and the next one adopts its data plane and its replicas', async () => {
  const node = federation.node(1);
  const target = `${node.url}/function/burn?sleep=400`;
  const loading = runLoad({ target, rate: 25, durationMs: 12_000 });
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

  const result = await loading;
  expect(losses(result)).toEqual({});
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
  const result = await runLoad({
    target: `${federation.node(1).url}/function/burn?sleep=100`,
    rate: 30,
    durationMs: 2_000,
  });
  expect(losses(result)).toEqual({});
  expect((await node.call('burn?sleep=1')).status).toBe(200);
  await node.restart();
  await federation.whole();
  // What was at zero is found there.
  await federation.everywhere('resting');
  expect(await node.client().describe('resting')).toMatchObject({ replicas: 0, availableReplicas: 0 });
});
