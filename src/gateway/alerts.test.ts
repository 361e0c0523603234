import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { createPeerHost } from './peer-host.ts';
import { asAdmin, call, credentials, digestOf, requestOver, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';
import type { NodeFunction } from './needs.ts';

const archive = goodArchive();
const running = (name: string, replicas: number, usage?: NodeFunction['usage']): NodeFunction => ({
  name,
  namespace: 'openfaas-fn',
  placed: true,
  replicas,
  availableReplicas: replicas,
  invocationCount: 0,
  ...(usage && { usage }),
});

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  const bundle = `/system/bundles/${digestOf(archive)}?image=figlet:1`;
  await call(node.systemSocket, 'PUT', bundle, { headers: credentials, body: archive });
  const labels = { 'com.openfaas.scale.max': '10', 'com.openfaas.scale.factor': '20' };
  for (const service of ['figlet', 'lost']) {
    await asAdmin(node, 'POST', '/system/functions', { service, image: 'figlet:1', labels });
  }
  node.running.push(running('figlet', 3, { cpu: 10, totalMemoryBytes: 100 }));
});

afterAll(async () => node.stop());

const alert = (status: string, ...names: readonly string[]) =>
  asAdmin(node, 'POST', '/system/alert', {
    receiver: 'scale-up',
    status,
    alerts: names.map((function_name) => ({ status, labels: { alertname: 'high', function_name }, extra: 1 })),
  });

describe('alerts', () => {
  it('add replicas while they fire and go to the least when they are over', async () => {
    expect(await alert('firing', 'figlet.openfaas-fn')).toMatchObject({ status: 200, body: '' });
    expect(node.running[0]?.replicas).toBe(5);
    await alert('firing', 'figlet', 'figlet', 'figlet', 'figlet');
    expect(node.running[0]?.replicas).toBe(10);
    await alert('resolved', 'figlet');
    expect(node.running[0]?.replicas).toBe(1);
  });

  it('about nothing known change nothing', async () => {
    expect(await alert('firing', 'absent', 'absent.nowhere', '', 'A B')).toMatchObject({ status: 200, body: '' });
    expect(await asAdmin(node, 'POST', '/system/alert', {})).toMatchObject({ status: 200 });
  });

  it('that cannot be followed say which, after the others are', async () => {
    const answer = await alert('firing', 'lost', 'figlet');
    expect(answer.status).toBe(503);
    expect(answer.body).toMatch(/^\[0\] no node where lost lives answered/);
    expect(node.running[0]?.replicas).toBe(3);
  });

  it.each(['{', '[]', '{"alerts":[{}]}', '{"alerts":[{"status":"maybe","labels":{}}]}'])(
    'must be understood: %s',
    async (body) => {
      const answer = await call(node.systemSocket, 'POST', '/system/alert', { headers: credentials, body });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatch(/^Unable to parse alert, bad format\./);
    },
  );
});

describe('the status of a function', () => {
  it('tells what its replicas use at all nodes, when it is asked', async () => {
    const other = await startTestNode('node-2');
    other.running.push(running('figlet', 1, { cpu: 5.5, totalMemoryBytes: 50 }));
    node.peers.push(createPeerHost({ id: 'node-2', name: 'node-2' }, requestOver(other.peerSocket)));
    const status = async (query: string): Promise<unknown> =>
      JSON.parse((await asAdmin(node, 'GET', `/system/function/figlet${query}`)).body);
    expect(await status('?usage=1')).toMatchObject({ usage: { cpu: 15.5, totalMemoryBytes: 150 } });
    expect(await status('?usage=false')).not.toHaveProperty('usage');
    expect(await status('')).not.toHaveProperty('usage');
    node.peers.length = 0;
    await other.stop();
  });

  it('of one that is not there is a 404 that names the one that was meant, and so is every other refusal', async () => {
    const refusal = { status: 404, body: 'service figlt not found: did you mean figlet?\n' };
    expect(await asAdmin(node, 'GET', '/system/function/figlt')).toMatchObject(refusal);
    const body = { functionName: 'figlt' };
    expect(await asAdmin(node, 'DELETE', '/system/functions', body)).toMatchObject(refusal);
  });
});
