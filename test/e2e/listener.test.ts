import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { until } from './until.ts';

type Mirrored = {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly waiting: number;
  readonly left: number;
  readonly pid: number;
};

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('mirror', 'echo');
  federation = await Federation.start({ slots: [4, 4] });
  // Away from node-1, so that calls there go through a peer; one replica, so that it can be asked what it saw.
  const away = { constraints: ['skein.node==node-2'], labels: { 'com.openfaas.scale.max': '1' } };
  await federation.deployAs(bundles, { service: 'mirror', image: 'mirror', ...away });
  await federation.deployAs(bundles, { service: 'echo', image: 'echo', ...away });
  for (const name of ['mirror', 'echo']) {
    await until(`${name} answers`, async () => {
      const calls = await Promise.all(federation.nodes.map((node) => node.call(name, { method: 'POST', body: 'x' })));
      return calls.every(({ status }) => status === 200);
    });
  }
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

const mirrored = async (node: number, headers: Record<string, string> = {}): Promise<Mirrored> => {
  const answer = await federation.node(node).call('mirror', { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Mirrored;
};

test.each([1, 2])(
  'headers that only peers may set do not travel from a client to a function (node-%i)',
  async (node) => {
    const forged = {
      'X-Skein-Hop': '9',
      'X-Skein-Load': '0/100',
      'X-Skein-Node': 'node-9',
      'x-skein-revision': 'r',
      'X-Own': 'stays',
    };
    const { headers } = await mirrored(node, forged);
    const ours = Object.entries(headers).filter(([name]) => name.startsWith('x-skein-'));
    expect(ours).toEqual([['x-skein-node', 'node-2']]);
    expect(headers['x-own']).toBe('stays');
  },
);

test('who claims to be a node on the public listener is refused', async () => {
  const { members } = await federation.node(1).status();
  for (const id of ['anything', members[1]!.id]) {
    const answer = await federation.node(1).call('mirror', { headers: { 'DFaaS-Node-ID': id } });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('x-skein-reason')).toBe('not-a-peer');
  }
});

test.each([1, 2])('a call has an id: the one it was sent with, or a new one (node-%i)', async (node) => {
  const given = await federation.node(node).call('mirror', { headers: { 'X-Call-Id': 'mine-1' } });
  expect(given.headers.get('x-call-id')).toBe('mine-1');
  expect(((await given.json()) as Mirrored).headers['x-call-id']).toBe('mine-1');
  const [first, second] = [await federation.node(node).call('mirror'), await federation.node(node).call('mirror')];
  expect(first.headers.get('x-call-id')).toMatch(/.{8,}/);
  expect(second.headers.get('x-call-id')).not.toBe(first.headers.get('x-call-id'));
  expect(first.headers.get('x-skein-node')).toBe('node-2');
});

test('a function that nobody deployed is unknown, and the call has an id all the same', async () => {
  const answer = await federation.node(1).call('nobody');
  expect(answer.status).toBe(404);
  expect(answer.headers.get('x-skein-reason')).toBe('unknown-function');
  expect(answer.headers.get('x-call-id')).toMatch(/.{8,}/);
});

test.each([1, 2])('a body of 8 MiB comes through whole both ways (node-%i)', async (node) => {
  const body = randomBytes(8 * 1024 * 1024);
  const answer = await federation.node(node).call('echo', { method: 'POST', body });
  expect(answer.status).toBe(200);
  const back = Buffer.from(await answer.arrayBuffer());
  expect(back.length).toBe(body.length);
  expect(sha256(back)).toBe(sha256(body));
});

test.each([1, 2])('a body of unknown length comes through whole both ways (node-%i)', async (node) => {
  const chunks = Array.from({ length: 40 }, () => randomBytes(50_000));
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: ReadableStream.from(chunks), duplex: 'half' };
  const answer = await federation.node(node).call('echo', init);
  expect(answer.status).toBe(200);
  expect(sha256(Buffer.from(await answer.arrayBuffer()))).toBe(sha256(Buffer.concat(chunks)));
});

test.each([1, 2])('a client that leaves is noticed by the function (node-%i)', async (node) => {
  const before = await mirrored(2);
  const { url } = federation.node(node);
  const leaving = request(`${url}/function/mirror?wait`, { agent: false });
  leaving.on('error', () => {});
  leaving.end();
  await until('the call runs', async () => (await mirrored(2)).waiting === 1);
  leaving.destroy();
  await until('the function has noticed', async () => (await mirrored(2)).left === before.left + 1);
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
