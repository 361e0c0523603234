import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('mirror');
  federation = await Federation.start({ slots: [4, 4, 4] });
  const labels = { 'com.openfaas.scale.max': '4', 'com.openfaas.scale.factor': '50' };
  await federation.deployAs(bundles, { service: 'wide', image: 'mirror', labels });
  await federation.deployAs(bundles, { service: 'settled', image: 'mirror', constraints: ['skein.node==node-2'] });
  await federation.everywhere('wide');
  await replicasAre('wide', 3);
  await replicasAre('settled', 1);
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

/** By the word of every node, and by the processes that run. */
const replicasAre = async (name: string, replicas: number): Promise<void> => {
  for (const node of federation.nodes) {
    await until(`${node.name} says that ${replicas} replicas of ${name} run`, async () => {
      const status = await node.client().describe(name);
      return status.replicas === replicas && status.availableReplicas === replicas;
    });
  }
  await until(`${replicas} replicas of ${name} run`, async () => {
    return federation.nodes.flatMap((node) => node.replicaPids(name)).length === replicas;
  });
};

const alert = (node: TestNode, status: string): Promise<Response> =>
  node.client().request('POST', '/system/alert', { alerts: [{ status, labels: { function_name: 'wide' } }] });

test('an alert that fires at one node and is resolved at another leaves what there was', async () => {
  await alert(federation.node(1), 'firing');
  await replicasAre('wide', 9);
  await alert(federation.node(3), 'resolved');
  await replicasAre('wide', 3);
});

test('replicas that are asked for at one node are spread over all of them', async () => {
  const scaled = await federation.node(2).skein('scale', 'wide', '7');
  expect(scaled).toMatchObject({ code: 0, out: 'scaled wide to 7\n' });
  await replicasAre('wide', 7);
  const counts = federation.nodes.map((node) => node.replicaPids('wide').length);
  expect(counts.toSorted((a, b) => a - b)).toEqual([2, 2, 3]);
});

test('none that are asked for where nothing of the function lives end those elsewhere; the next call starts one', async () => {
  await federation.node(1).skein('scale', 'settled', '0');
  await federation.node(3).skein('scale', 'wide', '0');
  await replicasAre('settled', 0);
  await replicasAre('wide', 0);
  const answer = await federation.node(1).call('settled');
  expect([answer.status, answer.headers.get('x-skein-node')]).toEqual([200, 'node-2']);
  await replicasAre('settled', 1);
});

test('a node that does not answer is named, and the others are scaled', async () => {
  federation.node(3).freeze();
  try {
    const scaled = await federation.node(1).skein('scale', 'wide', '2');
    expect(scaled.code).toBe(0);
    expect(scaled.out).toContain('node-3');
    await until('two run', async () => {
      const pids = [1, 2].flatMap((index) => federation.node(index).replicaPids('wide'));
      return pids.length === 2;
    });
  } finally {
    federation.node(3).thaw();
  }
});
