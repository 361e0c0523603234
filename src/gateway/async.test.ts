import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../catalogue/record.ts';
import { silentLog } from '../telemetry/log.ts';
import { asAdmin, call, digestOf, requestOver, startTestNode, type TestNode } from './node.fixture.ts';
import { createPeerHost } from './peer-host.ts';

let node: TestNode;
let told: unknown[] = [];

beforeEach(async () => {
  told = [];
  node = await startTestNode('node-1', { log: { ...silentLog, info: (fields) => void told.push(fields) } });
  const deployment = { service: 'echo', image: 'echo:latest' };
  const value = { deployment, digest: digestOf(Buffer.from('x')), createdAt: '2026-01-01T00:00:00Z' };
  await node.catalogue.put(keys.function('openfaas-fn', 'echo'), value);
});

afterEach(() => node.stop());

const later = (path: string, headers: Record<string, string> = {}) =>
  call(node.systemSocket, 'POST', `/async-function/${path}`, { body: 'work', headers });

describe('calls that are made later', () => {
  it('are kept without a password, and known by their id', async () => {
    const answer = await later('echo/some%2Fpath?x=1', { 'x-call-id': 'call-1' });
    expect(answer.status).toBe(202);
    expect(answer.headers['x-call-id']).toBe('call-1');
    const stats = await asAdmin(node, 'GET', '/system/queue');
    expect(JSON.parse(stats.body)).toMatchObject([{ function: 'echo.openfaas-fn', calls: { waiting: 1 } }]);
  });

  it('are not told of one by one in the log, as changes are', async () => {
    await later('echo');
    expect(told).toEqual([]);
    await asAdmin(node, 'POST', '/system/namespace/', { name: 'team', labels: { openfaas: '1' } });
    expect(told).toMatchObject([{ route: '/system/namespace/', status: 201 }]);
  });

  it('can be cancelled while they wait', async () => {
    await later('echo', { 'x-call-id': 'call-2' });
    const cancel = () => call(node.systemSocket, 'DELETE', '/async-function/call-2');
    expect((await cancel()).status).toBe(202);
    expect((await cancel()).status).toBe(404);
  });

  it('are refused where they make no sense', async () => {
    expect((await later('nobody')).status).toBe(404);
    expect((await later('echo', { 'x-callback-url': '::nonsense' })).status).toBe(400);
    expect((await call(node.systemSocket, 'GET', '/async-function/echo')).status).toBe(405);
  });

  it('and the queue needs a password', async () => {
    expect((await call(node.systemSocket, 'GET', '/system/queue')).status).toBe(401);
    expect((await call(node.systemSocket, 'GET', '/system/queue/dead')).status).toBe(401);
  });

  it('that were given up are listed, replayed and dropped by id', async () => {
    expect((await asAdmin(node, 'GET', '/system/queue/dead?limit=5')).body).toBe('[]');
    for (const method of ['POST', 'DELETE']) {
      expect((await asAdmin(node, method, '/system/queue/dead', { id: '999' })).status).toBe(404);
    }
    expect((await asAdmin(node, 'GET', '/system/queue/dead?limit=0')).status).toBe(400);
  });
});

/** As `/function/` answers it (`dataplanes/refusals.ts`). */
const platform = (reason: string) => ({
  'x-skein-reason': reason,
  'x-openfaas-internal': 'skein',
  'x-skein-node': 'node-1',
  'x-call-id': expect.stringMatching(/./),
});

describe('a refusal of a call that was to be made later', () => {
  it('names the function that was probably meant, and who refuses', async () => {
    const answer = await later('ehco', { 'x-call-id': 'mine' });
    expect(answer.status).toBe(404);
    expect(answer.headers).toMatchObject({ ...platform('unknown-function'), 'x-call-id': 'mine' });
    expect(answer.body).toBe(
      'No function named ehco.openfaas-fn is deployed. Did you mean echo? See which are: skein list\n',
    );
    expect((await later('echo.nowhere')).headers).toMatchObject(platform('unknown-function'));
  });

  it.each([
    ['a callback address that makes no sense', 'POST', { 'x-callback-url': '::nonsense' }, 400, 'bad-request'],
    ['a call id that is too long', 'POST', { 'x-call-id': 'x'.repeat(200) }, 400, 'bad-request'],
    ['a verb that is not POST', 'GET', {}, 405, 'bad-request'],
  ])('says who refuses and why: %s', async (_, method, headers, status, reason) => {
    const answer = await call(node.systemSocket, method, '/async-function/echo', { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(platform(reason));
  });

  it('says that it is too large, or that there is no room', async () => {
    const answer = await call(node.systemSocket, 'POST', '/async-function/echo', { body: Buffer.alloc(9 * 1024 ** 2) });
    expect(answer.status).toBe(413);
    expect(answer.headers).toMatchObject(platform('too-large'));
    for (let count = 0; count < 25_000; count++) {
      await node.queue.add({ lane: 'echo.openfaas-fn', callId: 'x', meta: '', body: Buffer.alloc(0) });
    }
    const full = await later('echo');
    expect(full.status).toBe(503);
    expect(full.headers).toMatchObject({ ...platform('full'), 'retry-after': '1' });
  });
});

describe('what waits at other nodes', () => {
  let other: TestNode;

  beforeEach(async () => {
    other = await startTestNode('node-2');
    node.peers.push(createPeerHost({ id: 'node-2', name: 'node-2' }, requestOver(other.peerSocket)));
  });

  afterEach(() => other.stop());

  const wait = (callId: string) =>
    other.queue.add({ lane: 'echo.openfaas-fn', callId, meta: '{}', body: Buffer.from('x') });
  const cancel = (callId: string) => call(node.systemSocket, 'DELETE', `/async-function/${callId}`);

  it('is cancelled there', async () => {
    await wait('there');
    expect((await cancel('there')).status).toBe(202);
    expect(await other.queue.stats()).toEqual([]);
    const gone = await cancel('there');
    expect(gone.status).toBe(404);
    expect(gone.headers).toMatchObject({ 'x-openfaas-internal': 'skein', 'x-call-id': 'there' });
    await wait('runs');
    await other.queue.take('echo.openfaas-fn');
    expect((await cancel('runs')).status).toBe(409);
  });

  it.each([
    ['urn:uuid:1', 'urn:uuid:1'],
    ['a b', 'a%20b'],
    ['a/b?c', 'a%2Fb%3fc'],
    ['100%', '100%25'],
    // Two bytes of UTF-8, as a header holds them.
    ['caf\u00c3\u00a9', 'caf%C3%A9'],
  ])('is cancelled whatever its id is: %s', async (callId, written) => {
    await wait(callId);
    expect((await cancel(written)).status).toBe(202);
    expect(await other.queue.stats()).toEqual([]);
  });

  it('has no id that a header cannot say', async () => {
    for (const written of ['a%0Ab', '%00', '%7f']) expect((await cancel(written)).status).toBe(404);
  });

  it('is not said to be nowhere while a node does not answer', async () => {
    node.peers.push(createPeerHost({ id: 'node-3', name: 'node-3' }, () => Promise.reject(new Error('gone'))));
    const answer = await cancel('somewhere');
    expect(answer.status).toBe(503);
    expect(answer.headers['x-skein-unreachable']).toBe('node-3');
    await wait('there');
    expect((await cancel('there')).status).toBe(202);
  });

  it('is counted, and what was given up is listed, replayed and dropped', async () => {
    for (const id of ['a', 'b']) {
      await wait(id);
      await (await other.queue.take('echo.openfaas-fn'))?.bury('no answer');
    }
    const letters = JSON.parse((await asAdmin(node, 'GET', '/system/queue/dead')).body) as readonly unknown[];
    expect(letters).toMatchObject([
      { id: 'node-2/1', node: 'node-2', callId: 'a', why: 'no answer' },
      { id: 'node-2/2', node: 'node-2', callId: 'b' },
    ]);
    expect(JSON.parse((await asAdmin(node, 'GET', '/system/queue/dead?after=node-2/1')).body)).toHaveLength(1);
    expect((await asAdmin(node, 'POST', '/system/queue/dead', { id: 'node-2/1' })).status).toBe(202);
    expect((await asAdmin(node, 'DELETE', '/system/queue/dead', { id: 'node-2/2' })).status).toBe(202);
    expect((await asAdmin(node, 'DELETE', '/system/queue/dead', { id: 'node-2/2' })).status).toBe(404);
    const stats = JSON.parse((await asAdmin(node, 'GET', '/system/queue')).body) as readonly unknown[];
    expect(stats).toMatchObject([{ function: 'echo.openfaas-fn', calls: { waiting: 1, dead: 0 } }]);
  });
});
