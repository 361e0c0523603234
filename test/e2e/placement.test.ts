import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('mirror');
  // More than the load takes, also where the machine stands still for a moment.
  federation = await Federation.start({ slots: [16, 16] });
  await federation.deployAs(bundles, {
    service: 'settled',
    image: 'mirror',
    constraints: ['skein.node==node-2'],
  });
  await until('both answer', async () => {
    const calls = await Promise.all(federation.nodes.map((node) => node.call('settled')));
    return calls.every(({ status }) => status === 200);
  });
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

test('a function with a constraint runs only where it is met, and can be called everywhere', async () => {
  for (const node of federation.nodes) {
    const result = await runLoad({ target: `${node.url}/function/settled`, rate: 40, durationMs: 1_000 });
    expect(losses(result)).toEqual({});
    expect(Object.keys(result.nodes)).toEqual(['node-2']);
  }
  expect(federation.node(1).replicaPids('settled')).toEqual([]);
  expect(federation.node(2).replicaPids('settled').length).toBeGreaterThan(0);
});

test('every node lists it with its constraint and the replicas it has elsewhere', async () => {
  for (const node of federation.nodes) {
    const listed = await until('its replicas are known', async () =>
      (await node.client().list()).find(
        ({ name, availableReplicas }) => name === 'settled' && (availableReplicas ?? 0) > 0,
      ),
    );
    expect(listed.constraints).toEqual(['skein.node==node-2']);
    const { members } = await node.status();
    const homes = members.filter(({ functions }) => functions.includes('settled.openfaas-fn'));
    expect(homes.map(({ name }) => name)).toEqual(['node-2']);
  }
});

test('every node says the same of what can be called where, and of the calls that each let in and ran', async () => {
  const calls = await Promise.all(Array.from({ length: 5 }, () => federation.node(1).call('settled')));
  expect(calls.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  const [one, two] = await until('both have counted the calls, and say the same', async () => {
    const [first, second] = await Promise.all(federation.nodes.map(countsAt));
    // More were let in and run by the tests before, and some refused while a replica was started.
    const [here, there] = first!;
    return here!.entered >= 5 && there!.served >= 5 && isDeepStrictEqual(first, second) && first!;
  });
  expect([one!.node, one!.served, two!.node]).toEqual(['node-1', 0, 'node-2']);
  for (const node of federation.nodes) {
    const { members } = await node.status();
    expect(new Map(members.map(({ name, functions }) => [name, functions.length]))).toEqual(
      new Map([
        ['node-1', 0],
        ['node-2', 1],
      ]),
    );
  }
});

type Counts = { readonly node: string; readonly entered: number; readonly served: number };

/** By the word of `asked`, of each node. */
const countsAt = async (asked: TestNode): Promise<readonly Counts[]> => {
  const { invocationCount, nodes = [] } = await asked.client().describe('settled');
  const counts = nodes.map((at) => ({ node: at.node, entered: at.invocationCount, served: at.servedCount }));
  expect(counts.reduce((sum, { entered }) => sum + entered, 0)).toBe(invocationCount);
  return counts.toSorted((a, b) => (a.node < b.node ? -1 : 1));
};

test('a function whose constraint no node meets is kept and answers that nothing runs it', async () => {
  await federation
    .node(1)
    .client()
    .deploy({ service: 'homeless', image: 'mirror', constraints: ['skein.node==node-9'] });
  const answer = await until('it is known', async () => {
    const called = await federation.node(1).call('homeless');
    return called.status !== 404 && called;
  });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('x-skein-reason')).toBe('no-replica');
});
