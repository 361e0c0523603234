import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { functionStatus } from '../domain/function.ts';
import { createPeerHost } from './peer-host.ts';
import { routes } from './routes.ts';
import type { RouteSpec } from './routes.ts';
import { asAdmin, basic, call, credentials, digestOf, requestOver, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

const archive = goodArchive();
const digest = digestOf(archive);
const ns = 'openfaas-fn';

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  const path = `/system/bundles/${digest}?image=figlet:1`;
  const put = await call(node.systemSocket, 'PUT', path, { headers: credentials, body: archive });
  expect(put.status).toBe(201);
});

afterAll(async () => node.stop());

const deploy = (service: string, more: object = {}) =>
  asAdmin(node, 'POST', '/system/functions', { service, image: 'figlet:1', ...more });

const statusOf = async (service: string) =>
  functionStatus.parse(JSON.parse((await asAdmin(node, 'GET', `/system/function/${service}`)).body));

describe('deploying, updating and removing', () => {
  it('answers a first deploy by PUT with 404 and by POST with 202, as faas-cli needs', async () => {
    const body = { service: 'first', image: 'figlet:1' };
    const put = await asAdmin(node, 'PUT', '/system/functions', body);
    expect(put).toMatchObject({ status: 404, body: 'service first not found\n' });
    expect(await asAdmin(node, 'POST', '/system/functions', body)).toMatchObject({ status: 202, body: '' });
    expect(await asAdmin(node, 'PUT', '/system/functions', body)).toMatchObject({ status: 202, body: '' });
  });

  it('refuses to deploy what is there already, and says so', async () => {
    await deploy('twice');
    const again = await deploy('twice');
    expect(again.status).toBe(400);
    expect(again.body).toContain('already exists');
  });

  it('reports exactly what was deployed', async () => {
    const deployed = {
      image: 'figlet:1',
      envProcess: 'cat -',
      envVars: { B: '2', A: '1=1' },
      constraints: ['skein.node==node-1', 'label.zone!=b'],
      labels: { 'dfaas.maxrate': '12.5', topic: 'x,y' },
      annotations: { note: 'hé\n"quoted"' },
      limits: { memory: '128Mi', cpu: '100m' },
      requests: { memory: '64Mi' },
      readOnlyRootFilesystem: true,
    };
    await deploy('whole', { ...deployed, unknownField: 1 });
    const status = await statusOf('whole');
    expect(status).toMatchObject({ name: 'whole', namespace: ns, ...deployed, replicas: 0, invocationCount: 0 });
    expect(Object.keys(status)).not.toContain('service');
    expect(Object.keys(status)).not.toContain('unknownField');
    expect(new Date(status.createdAt ?? '').getTime()).toBeGreaterThan(0);
  });

  it('keeps the moment of creation when a function is updated', async () => {
    await deploy('kept', { labels: { a: '1' } });
    const before = await statusOf('kept');
    await asAdmin(node, 'PUT', '/system/functions', { service: 'kept', image: 'figlet:1', labels: { a: '2' } });
    const after = await statusOf('kept');
    expect(after.createdAt).toBe(before.createdAt);
    expect(after.labels).toEqual({ a: '2' });
  });

  it('removes by name, in the namespace of body or query', async () => {
    for (const [path, body] of [
      ['/system/functions', { functionName: 'gone' }],
      ['/system/functions', { functionName: 'gone', namespace: ns }],
      [`/system/functions?namespace=${ns}`, { functionName: 'gone' }],
      ['/system/functions?namespace=elsewhere', { functionName: 'gone', namespace: ns }],
      ['/system/functions', { functionName: `gone.${ns}` }],
    ] as const) {
      await deploy('gone');
      expect(await asAdmin(node, 'DELETE', path, body)).toMatchObject({ status: 202, body: '' });
      expect(await asAdmin(node, 'GET', '/system/function/gone')).toMatchObject({
        status: 404,
        body: 'service gone not found\n',
      });
    }
    const missing = await asAdmin(node, 'DELETE', '/system/functions', { functionName: 'gone' });
    expect(missing).toMatchObject({ status: 404, body: 'service gone not found\n' });
  });

  it.each([
    ['no image', { service: 'x' }, 'image: is required'],
    ['no name', { image: 'figlet:1' }, 'service: is required'],
    ['a name that is no DNS label', { service: 'X_y', image: 'figlet:1' }, 'service: must be a DNS label'],
    ['a body that is no object', [], 'validation failed'],
    ['an image that nobody built', { service: 'x', image: 'nope:2' }, 'skein build DIR --image nope:2'],
    ['an image that is no image name', { service: 'x', image: 'A B' }, 'is no NAME:TAG'],
    ['a secret', { service: 'x', image: 'figlet:1', secrets: ['key'] }, 'unable to find secret: key'],
    ['another namespace', { service: 'x', image: 'figlet:1', namespace: 'dev' }, 'namespace not valid'],
    ['an unknown constraint', { service: 'x', image: 'figlet:1', constraints: ['a==b'] }, 'skein.node'],
    ['a constraint without an end', { service: 'x', image: 'figlet:1', constraints: ['a'.repeat(600)] }, '512'],
    ['a bad rate', { service: 'x', image: 'figlet:1', labels: { 'dfaas.maxrate': '-1' } }, 'dfaas.maxrate'],
    ['a bad bound', { service: 'x', image: 'figlet:1', envVars: { max_inflight: 'many' } }, 'max_inflight'],
    ['a variable without a name', { service: 'x', image: 'figlet:1', envVars: { '': 'x' } }, 'envVars: '],
    ['a process with NUL', { service: 'x', image: 'figlet:1', envProcess: 'cat\0' }, 'envProcess: '],
    ['a memory that is none', { service: 'x', image: 'figlet:1', limits: { memory: 'lots' } }, 'limits.memory: '],
    ['a CPU that is none', { service: 'x', image: 'figlet:1', requests: { cpu: '1 core' } }, 'requests.cpu: '],
    ['a bad timeout', { service: 'x', image: 'figlet:1', labels: { 'dfaas.timeout_ms': 'x' } }, 'dfaas.timeout_ms'],
    [
      'a least number of replicas above the most',
      { service: 'x', image: 'figlet:1', labels: { 'com.openfaas.scale.min': '3', 'com.openfaas.scale.max': '2' } },
      'com.openfaas.scale.min',
    ],
  ])('refuses %s with a sentence', async (_what, body, sentence) => {
    const answer = await asAdmin(node, 'POST', '/system/functions', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(sentence);
    expect(answer.body.endsWith('\n')).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
  });

  it('refuses bodies that are no JSON, and those above a mebibyte', async () => {
    const send = (body: string | Uint8Array, headers = {}) =>
      call(node.systemSocket, 'POST', '/system/functions', { headers: { ...credentials, ...headers }, body });
    expect(await send('{')).toMatchObject({ status: 400 });
    expect(await send('')).toMatchObject({ status: 400 });
    expect(await send(Buffer.from([0xff, 0xfe]))).toMatchObject({ status: 400 });
    const big = Buffer.alloc(1024 * 1024 + 1, 0x20);
    expect(await send(big)).toMatchObject({ status: 413 });
    expect(await send(big, { 'transfer-encoding': 'chunked' })).toMatchObject({ status: 413 });
  });
});

describe('counts', () => {
  it('adds up what all nodes say, and names the one that does not answer', async () => {
    const other = await startTestNode('node-2');
    try {
      await deploy('summed');
      const counts = { namespace: ns, placed: true };
      node.running.push({ ...counts, name: 'summed', replicas: 2, availableReplicas: 1, invocationCount: 10 });
      other.running.push({ ...counts, name: 'summed', replicas: 3, availableReplicas: 3, invocationCount: 5 });
      const frozen = createPeerHost({ id: 'node-3', name: 'node-3' }, () => new Promise(() => {}));
      node.peers.push(createPeerHost({ id: 'node-2', name: 'node-2' }, requestOver(other.peerSocket)), frozen);

      const one = await asAdmin(node, 'GET', '/system/function/summed?usage=1');
      expect(JSON.parse(one.body)).toMatchObject({ replicas: 5, availableReplicas: 4, invocationCount: 15 });
      expect(one.headers['x-skein-unreachable']).toBe('node-3');
      const list = z.array(functionStatus).parse(JSON.parse((await asAdmin(node, 'GET', '/system/functions')).body));
      expect(list.find(({ name }) => name === 'summed')).toMatchObject({ replicas: 5, invocationCount: 15 });
    } finally {
      node.peers.length = 0;
      node.running.length = 0;
      await other.stop();
    }
  });

  it('scales all nodes together, whichever is asked', async () => {
    const other = await startTestNode('node-2');
    try {
      const scale = (replicas: unknown) =>
        asAdmin(node, 'POST', '/system/scale-function/scaled', { serviceName: 'scaled', replicas });
      expect(await scale(1)).toMatchObject({ status: 404, body: 'service scaled not found\n' });
      await deploy('scaled');
      expect(await scale(1)).toMatchObject({ status: 503 });

      const bounds = { least: 0, most: 3, usual: 1 };
      const none = { name: 'scaled', namespace: ns, placed: true, replicas: 0, availableReplicas: 0, bounds };
      const replicas = () => [...node.running, ...other.running].map((one) => one.replicas);
      other.running.push({ ...none, invocationCount: 0 });
      node.peers.push(createPeerHost({ id: 'node-2', name: 'node-2' }, requestOver(other.peerSocket)));
      expect(await scale(2)).toMatchObject({ status: 202, body: '' });
      expect(replicas()).toEqual([2]);

      node.running.push({ ...none, invocationCount: 0 });
      expect(await scale(3)).toMatchObject({ status: 202 });
      expect(replicas()).toEqual([1, 2]);
      expect(await scale(100)).toMatchObject({ status: 202, headers: { 'x-skein-replicas': '6' } });
      expect(replicas()).toEqual([3, 3]);
      expect(await scale(0)).toMatchObject({ status: 202 });
      expect(replicas()).toEqual([0, 0]);
      for (const bad of [-1, 1.5, 'two', null, 1e12]) expect(await scale(bad)).toMatchObject({ status: 400 });
    } finally {
      node.peers.length = 0;
      node.running.length = 0;
      await other.stop();
    }
  });
});

describe('who may do what', () => {
  it.each([
    ['nothing', {}],
    ['a wrong password', { authorization: basic('admin', 'wrong') }],
    ['a wrong user', { authorization: basic('root', 'swordfish') }],
    ['no colon', { authorization: `Basic ${Buffer.from('admin').toString('base64')}` }],
    ['a bearer token', { authorization: 'Bearer swordfish' }],
  ])('asks for the password when given %s', async (_what, headers) => {
    const answer = await call(node.systemSocket, 'GET', '/system/functions', { headers });
    expect(answer).toMatchObject({ status: 401, body: 'invalid credentials' });
    expect(answer.headers['www-authenticate']).toBe('Basic realm="Restricted"');
  });

  it('protects every route below /system/, in every spelling that reaches it', async () => {
    for (const route of Object.values<RouteSpec>(routes)) {
      if (!route.audiences.includes('public') || !route.path.startsWith('/system/')) continue;
      const path = route.path.replace('{name}', 'figlet').replace('{digest}', digest);
      expect(await call(node.systemSocket, route.method, path)).toMatchObject({ status: 401 });
    }
    for (const path of ['//system/functions', '/%73ystem/functions', '/x/../system/functions', '/SYSTEM/functions']) {
      expect([401, 404]).toContain((await call(node.systemSocket, 'GET', path)).status);
    }
  });

  it('refuses changes that a page of another site asks for', async () => {
    const headers = { ...credentials, 'sec-fetch-site': 'cross-site' };
    const answer = await call(node.systemSocket, 'DELETE', '/system/functions', { headers, body: '{}' });
    expect(answer.status).toBe(403);
    expect(await call(node.systemSocket, 'GET', '/system/functions', { headers })).toMatchObject({ status: 200 });
  });

  it('gives peers bundles and counts and nothing else', async () => {
    const get = (path: string) => call(node.peerSocket, 'GET', path, { headers: credentials });
    expect(await get('/internal/functions')).toMatchObject({ status: 200, body: '[]' });
    expect(await get(`/system/bundles/${digest}`)).toMatchObject({ status: 200 });
    for (const path of ['/system/functions', '/system/federation', '/system/bundles', '/']) {
      expect(await get(path)).toMatchObject({ status: 404 });
    }
    const put = await call(node.peerSocket, 'PUT', `/system/bundles/${digest}`, { body: archive });
    expect(put.status).toBe(405);
  });

  it('has nothing for peers on the public socket, whatever a header claims', async () => {
    const headers = { ...credentials, 'x-skein-node': 'node-2', 'dfaas-node-id': 'x', 'x-skein-peer': 'node-2' };
    expect(await call(node.systemSocket, 'GET', '/internal/functions', { headers })).toMatchObject({ status: 404 });
    expect(await call(node.systemSocket, 'POST', '/internal/scale', { headers })).toMatchObject({ status: 404 });
  });
});

describe('bundles', () => {
  const path = `/system/bundles/${digest}`;

  it('gives back what was put, with its length', async () => {
    const answer = await asAdmin(node, 'GET', path);
    expect(answer.bytes.equals(archive)).toBe(true);
    expect(answer.headers['content-length']).toBe(String(archive.length));
    const head = await asAdmin(node, 'HEAD', path);
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(String(archive.length));
  });

  it('takes a bundle again with 200, and lists it with its images', async () => {
    const put = (query: string) =>
      call(node.systemSocket, 'PUT', `${path}${query}`, { headers: credentials, body: archive });
    expect(await put('')).toMatchObject({ status: 200 });
    expect(await put('?image=banner')).toMatchObject({ status: 200 });
    expect(await put('?image=Not%20One')).toMatchObject({ status: 400 });
    const list = JSON.parse((await asAdmin(node, 'GET', '/system/bundles')).body) as unknown;
    expect(list).toEqual([{ digest, bytes: archive.length, images: ['banner:latest', 'figlet:1'] }]);
  });

  it('refuses what does not have the digest it claims, and what is no digest', async () => {
    const other = `/system/bundles/sha256:${'0'.repeat(64)}`;
    const put = await call(node.systemSocket, 'PUT', other, { headers: credentials, body: archive });
    expect(put.status).toBe(400);
    expect(await asAdmin(node, 'GET', other)).toMatchObject({ status: 404 });
    expect(await asAdmin(node, 'HEAD', other)).toMatchObject({ status: 404, body: '' });
    expect(await asAdmin(node, 'GET', '/system/bundles/sha256:zz')).toMatchObject({ status: 400 });
  });

  it('deploys an image by its pinned digest', async () => {
    expect(await deploy('pinned', { image: `any@${digest}` })).toMatchObject({ status: 202 });
    expect(await deploy('unpinned', { image: `any@sha256:${'1'.repeat(64)}` })).toMatchObject({ status: 400 });
  });
});

describe('the node itself', () => {
  it('is healthy until it drains', async () => {
    expect(await call(node.systemSocket, 'GET', '/healthz')).toMatchObject({ status: 200, body: '' });
    expect(await call(node.systemSocket, 'HEAD', '/healthz')).toMatchObject({ status: 200 });
    node.setDraining(true);
    expect(await call(node.systemSocket, 'GET', '/healthz')).toMatchObject({ status: 503 });
    node.setDraining(false);
  });

  it('answers what the route table says it answers', async () => {
    for (const route of Object.values<RouteSpec>(routes)) {
      const body = route.responses[200]?.body;
      if (route.method !== 'GET' || !route.audiences.includes('public') || !(body instanceof z.ZodType)) continue;
      if (route.path.includes('{')) continue;
      const answer = await asAdmin(node, 'GET', route.path);
      expect(answer.headers['content-type']).toContain('application/json');
      expect(body.safeParse(JSON.parse(answer.body)).error?.issues ?? []).toEqual([]);
    }
  });

  it('names itself and its one namespace', async () => {
    const info = JSON.parse((await asAdmin(node, 'GET', '/system/info')).body) as unknown;
    expect(info).toEqual({
      provider: { provider: 'skein', version: { release: '0.1.0', sha: 'abc' }, orchestration: 'process' },
      version: { release: '0.1.0', sha: 'abc' },
      arch: 'x86_64',
    });
    expect(await asAdmin(node, 'GET', '/system/namespaces')).toMatchObject({ body: `["${ns}"]` });
  });

  it('answers other paths as OpenFaaS does, and other methods with those that are allowed', async () => {
    for (const path of ['/system/secret', '/system/nope', '/nope', '/system/functions/', '/system/function/a~b']) {
      expect(await asAdmin(node, 'GET', path)).toMatchObject({ status: 404, body: '404 page not found\n' });
    }
    const patch = await asAdmin(node, 'PATCH', '/system/functions');
    expect(patch).toMatchObject({ status: 405, body: '' });
    expect(patch.headers.allow).toBe('GET, HEAD, POST, PUT, DELETE, OPTIONS');
    expect(await asAdmin(node, 'POST', '/healthz')).toMatchObject({ status: 405, body: '' });
    expect(await asAdmin(node, 'OPTIONS', '/system/functions')).toMatchObject({ status: 204 });
  });

  it('refuses other namespaces wherever one can be named', async () => {
    for (const path of [
      '/system/functions?namespace=dev',
      '/system/function/x.dev',
      '/system/function/x?namespace=dev',
    ]) {
      expect(await asAdmin(node, 'GET', path)).toMatchObject({ status: 400, body: 'namespace not valid\n' });
    }
  });

  it('leads from /ui/ to the page', async () => {
    const answer = await call(node.systemSocket, 'GET', '/ui/');
    expect([answer.status, answer.headers.location]).toEqual([302, '/']);
    const page = await call(node.systemSocket, 'GET', '/');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body).toContain('node-1');
  });
});

describe('faults inside', () => {
  it('alarms nobody when a client goes away in the middle of its request', async () => {
    const logged: unknown[] = [];
    const log = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => void logged.push(fields) };
    const quiet = await startTestNode('node-8', { log });
    for (let round = 0; round < 5; round++) {
      const left = new Promise<void>((resolve) => {
        const socket = connect(quiet.systemSocket, () => {
          const { authorization } = credentials;
          const head = `POST /system/functions HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: 99\r\n\r\n{`;
          socket.write(head, () => socket.destroy());
        });
        socket.once('close', () => resolve());
      });
      await left;
      expect(await asAdmin(quiet, 'GET', '/system/info')).toMatchObject({ status: 200 });
    }
    expect(logged).toEqual([]);
    await quiet.stop();
  });

  it('hides what broke from clients and tells the log', async () => {
    const logged: unknown[] = [];
    const log = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => void logged.push(fields) };
    const broken = await startTestNode('node-9', {
      log,
      federation: () => {
        throw new TypeError('the password is swordfish');
      },
    });
    const answer = await asAdmin(broken, 'GET', '/system/federation');
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('swordfish');
    expect(logged).toHaveLength(1);
    await broken.stop();
  });
});
