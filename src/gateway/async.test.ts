import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../catalogue/record.ts';
import { asAdmin, call, digestOf, startTestNode, type TestNode } from './node.fixture.ts';

let node: TestNode;

beforeEach(async () => {
  node = await startTestNode();
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
