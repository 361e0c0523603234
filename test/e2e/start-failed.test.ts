import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('mirror', 'cat');
  federation = await Federation.start({ slots: [4, 4] });
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

const known = (node: TestNode, name: string): Promise<Response> =>
  until(`${node.name} knows ${name} and what becomes of it`, async () => {
    const answer = await node.call(name);
    // On a machine that is busy a start may take longer than a call waits.
    const isOpen = answer.status === 404 || answer.headers.get('x-skein-reason') === 'queue-timeout';
    return !isOpen && answer;
  });

/** At every node, and of every node. */
const problems = async (name: string): Promise<readonly (string | undefined)[]> =>
  (await federation.node(2).client().describe(name)).nodes?.map(({ problem }) => problem) ?? [];

const expectStartFailed = async (answer: Response, secret: string): Promise<void> => {
  const body = await answer.text();
  expect([answer.status, answer.headers.get('x-skein-reason')]).toEqual([503, 'start-failed']);
  expect(answer.headers.get('x-openfaas-internal')).toBe('skein');
  expect(body).toMatch(/cannot be started/);
  expect(body).not.toContain(secret);
};

test('a function placed at the asked node alone waits for its start when it is called at once', async () => {
  for (const min of ['0', '1']) {
    await federation.deployAs(bundles, {
      service: `fresh-${min}`,
      image: 'mirror',
      constraints: ['skein.node==node-1'],
      labels: { 'com.openfaas.scale.min': min },
    });
    const answer = await federation.node(1).call(`fresh-${min}`);
    expect([answer.status, answer.headers.get('x-skein-reason')]).toEqual([200, null]);
  }
});

test('a function whose program is nowhere says so to its callers at every node, and why to who may know', async () => {
  await federation.deployAs(bundles, { service: 'absent', image: 'cat', envProcess: 'no-such-program' });
  for (const node of federation.nodes) await expectStartFailed(await known(node, 'absent'), 'no-such-program');
  await until('every node says why', async () => {
    const said = await problems('absent');
    return said.length === 2 && said.every((problem) => problem?.includes('no-such-program'));
  });
});

test('a function whose replicas break says so, also where it does not live', async () => {
  const constraints = ['skein.node==node-1'];
  const envVars = { FAILS: 'swordfish' };
  await federation.deployAs(bundles, { service: 'breaking', image: 'mirror', envVars, constraints });
  for (const node of federation.nodes) await expectStartFailed(await known(node, 'breaking'), 'swordfish');
  await federation.deployAs(bundles, { service: 'breaking', image: 'mirror', constraints });
  for (const node of federation.nodes) {
    await until(`${node.name} answers once it is mended`, async () => (await node.call('breaking')).status === 200);
  }
});

test('a function that breaks at one node is run at another', async () => {
  await federation.deployAs(bundles, { service: 'halved', image: 'mirror', envVars: { FAILS: 'marmalade' } });
  await expectStartFailed(await known(federation.node(1), 'halved'), 'marmalade');
  // What the refusal says to do.
  const described = await federation.node(1).skein('describe', 'halved.openfaas-fn');
  expect(described.out).toMatch(/^node-1: .*marmalade/m);
  const mended = { id: 'mended', selector: ['skein.node==node-2'], envVars: { FAILS: '' } };
  await federation.node(1).client().setOverride('halved', mended);
  const answer = await until('node-1 has it run elsewhere', async () => {
    const called = await federation.node(1).call('halved');
    return called.status === 200 && called;
  });
  expect(answer.headers.get('x-skein-node')).toBe('node-2');
});

test('an update that does not start leaves the old replicas serving, and the status says why', async () => {
  const deploy = (envVars: Record<string, string>): Promise<void> =>
    federation.deployAs(bundles, { service: 'changing', image: 'mirror', envVars });
  const versions = async (): Promise<readonly unknown[]> =>
    Promise.all(
      federation.nodes.map(async (node) => {
        const answer = await node.call('changing');
        return answer.status === 200 ? ((await answer.json()) as { version: unknown }).version : answer.status;
      }),
    );
  await deploy({ VERSION: '1' });
  await federation.everywhere('changing');
  await until('it answers', async () => (await versions()).every((version) => version === '1'));
  await deploy({ VERSION: '2', FAILS: 'always' });
  await until('every node says why', async () => {
    const said = await problems('changing');
    return said.length === 2 && said.every((problem) => problem?.includes('always'));
  });
  for (let round = 0; round < 10; round += 1) expect(await versions()).toEqual(['1', '1']);
  await deploy({ VERSION: '3' });
  await until('the mended one answers', async () => (await versions()).every((version) => version === '3'));
  await until('no node complains', async () => (await problems('changing')).every((problem) => problem === undefined));
});
