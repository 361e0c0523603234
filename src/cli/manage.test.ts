import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestNode, type TestNode } from '../gateway/node.fixture.ts';
import { createPeerHost } from '../gateway/peer-host.ts';
import { runSkein, type Ran, type RunOptions } from './testing/run-skein.ts';

/** The commands against a real gateway, behind a TCP port as the data plane puts it. */
let node: TestNode;
let server: Server;
let gateway = '';
/** What the gateway was asked of logs last. */
let asked = '';
let folder = '';

beforeAll(async () => {
  node = await startTestNode();
  server = createServer((incoming, response) => {
    const { method, url: path, headers } = incoming;
    if (path?.startsWith('/system/logs') === true) asked = path;
    const passed = request({ socketPath: node.systemSocket, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await node.stop();
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-cli-'));
  writeFileSync(join(folder, 'admin-password'), 'swordfish\n');
});

afterEach(() => rmSync(folder, { recursive: true }));

const skein = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runSkein(args, { cwd: folder, ...options, env: { SKEIN_GATEWAY: gateway, SKEIN_DATA: folder } });

describe('secret', () => {
  test('takes the value from a file or from what is piped in, and shows names only', async () => {
    writeFileSync(join(folder, 'key'), 'from the file');
    expect(await skein(['secret', 'create', 'one', '--from-file', 'key'])).toEqual({
      code: 0,
      out: 'created secret one\n',
      err: '',
    });
    expect((await skein(['secret', 'create', 'two', '--json'], { input: 'piped' })).out).toBe(
      '{"name":"two","outcome":"created"}\n',
    );
    expect((await skein(['secret', 'list'])).out).toBe('one\ntwo\n');
    expect(JSON.parse((await skein(['secret', 'list', '--json'])).out)).toMatchObject([
      { name: 'one' },
      { name: 'two' },
    ]);
    expect(await skein(['secret', 'update', 'two', '--quiet'], { input: 'new' })).toEqual({
      code: 0,
      out: '',
      err: '',
    });
    expect((await skein(['secret', 'remove', 'one'])).out).toBe('removed secret one\n');
    expect((await skein(['secret', 'list', '--quiet'])).out).toBe('two\n');
  });

  test('says what is wrong', async () => {
    expect(await skein(['secret', 'create', 'x'], { input: '' })).toMatchObject({ code: 2 });
    expect(await skein(['secret', 'create', 'x', '--from-file', 'absent'])).toMatchObject({ code: 2 });
    expect(await skein(['secret', 'update', 'absent'], { input: 'x' })).toMatchObject({
      code: 1,
      err: 'skein: secret "absent" not found\n',
    });
    const literal = await skein(['secret', 'create', 'a', '--from-literal', 'swordfish']);
    expect(literal).toMatchObject({ code: 0, out: 'created secret a\n', err: expect.stringContaining('--from-file') });
    expect(literal.err).not.toContain('swordfish');
    expect(await skein(['secret', 'update', 'a', '--from-literal', 'x', '--from-file', 'y'])).toMatchObject({
      code: 2,
    });
    await skein(['secret', 'remove', 'a']);
  });
});

test('namespace makes, shows, changes and removes', async () => {
  expect((await skein(['namespace', 'create', 'team', '--annotation', 'owner=ada'])).out).toBe(
    'created namespace team\n',
  );
  expect((await skein(['namespace', 'list'])).out).toBe('openfaas-fn\nteam\n');
  expect((await skein(['namespace', 'describe', 'team'])).out).toBe(
    'name         team\nlabels       openfaas=1\nannotations  owner=ada\n',
  );
  await skein(['namespace', 'update', 'team', '--label', 'a=b']);
  expect(JSON.parse((await skein(['namespace', 'describe', 'team', '--json'])).out)).toEqual({
    name: 'team',
    labels: { a: 'b', openfaas: '1' },
    annotations: {},
  });
  expect((await skein(['namespace', 'remove', 'team', '--json'])).out).toBe('{"name":"team","outcome":"removed"}\n');
  expect(await skein(['namespace', 'remove', 'team'])).toMatchObject({
    code: 1,
    err: 'skein: namespace team not found\n',
  });
});

test('logs prints lines for people and for programs', async () => {
  const timestamp = new Date().toISOString();
  node.written.set('figlet', [
    { timestamp, instance: 'r1', text: 'one' },
    { timestamp, instance: 'r1', text: 'two' },
  ]);
  expect(await skein(['logs', 'figlet', '--since', '1h'])).toEqual({
    code: 0,
    out: `${timestamp} node-1/r1 one\n${timestamp} node-1/r1 two\n`,
    err: '',
  });
  const { out } = await skein(['logs', 'figlet', '--json', '--tail', '1']);
  expect(JSON.parse(out)).toEqual({
    name: 'figlet',
    namespace: 'openfaas-fn',
    instance: 'node-1/r1',
    timestamp,
    text: 'two',
  });
  expect(await skein(['logs', 'figlet', '--since', 'yesterday'])).toMatchObject({ code: 2 });
});

test('logs says so when the node goes away in the middle of them', async () => {
  const leaving = createServer((_, response) => {
    const line = { instance: 'node-1/r1', timestamp: '2026-01-01T00:00:00.000Z', text: 'hello' };
    response.write(`${JSON.stringify(line)}\n`, () => response.destroy());
  });
  leaving.listen(0, '127.0.0.1');
  await once(leaving, 'listening');
  const { port } = leaving.address() as AddressInfo;
  const ran = await runSkein(['logs', 'figlet', '--data', folder, '--gateway', `http://127.0.0.1:${port}`]);
  leaving.close();
  expect(ran).toMatchObject({ code: 1, out: '2026-01-01T00:00:00.000Z node-1/r1 hello\n' });
  expect(ran.err).toBe(
    `skein: http://127.0.0.1:${port} broke the log off: the node may have stopped; ask another with --gateway\n`,
  );
});

test('what five minutes ago is says the clock of the node, which wrote the times, and not that of whoever asks', async () => {
  await skein(['logs', 'figlet']);
  expect(asked).toBe('/system/logs?name=figlet');
  await skein(['logs', 'figlet', '--since', '1h']);
  expect(asked).toMatch(/&since=2/);
});

const deployFiglet = async (): Promise<void> => {
  const deployment = { service: 'figlet', image: 'figlet:1' };
  const value = { deployment, digest: `sha256:${'0'.repeat(64)}`, createdAt: '2026-01-01T00:00:00.000Z' };
  await node.catalogue.put('function/openfaas-fn/figlet', value);
};

test('logs of a function that wrote nothing say so, and where to look', async () => {
  await deployFiglet();
  node.written.delete('figlet');
  expect(await skein(['logs', 'figlet'])).toEqual({
    code: 0,
    out: '',
    err: 'figlet wrote nothing in that time; a longer --since looks further back\n',
  });
  expect(await skein(['logs', 'figlet', '--json'])).toEqual({ code: 0, out: '', err: '' });
});

test.each([
  ['describe', 'figlt'],
  ['remove', 'figlt'],
  ['scale', 'figlt', '1'],
  ['logs', 'figlt'],
  ['logs', 'figlt', '--follow'],
  ['override', 'list', 'figlt'],
  ['override', 'set', 'figlt', 'a', '--label', 'b=c'],
  ['override', 'remove', 'figlt', 'a'],
])('%j names the function that was probably meant', async (...args) => {
  await deployFiglet();
  expect(await skein(args)).toEqual({
    code: 1,
    out: '',
    err: 'skein: service figlt not found: did you mean figlet?\n',
  });
});

test('scale sets the replicas of a function', async () => {
  await deployFiglet();
  const counts = { placed: true, replicas: 1, availableReplicas: 1, invocationCount: 0 };
  node.running.push({ name: 'figlet', namespace: 'openfaas-fn', ...counts });
  expect((await skein(['scale', 'figlet', '4'])).out).toBe('scaled figlet to 4\n');
  expect(node.running[0]?.replicas).toBe(4);
  expect((await skein(['scale', 'figlet', '0', '--json'])).out).toBe('{"name":"figlet","replicas":0}\n');
  expect(node.running[0]?.replicas).toBe(0);
  expect(await skein(['scale', 'figlet', '-1'])).toMatchObject({ code: 2 });
});

describe('queue', () => {
  test('shows what was given up and at which node, and sees to it', async () => {
    for (const callId of ['first', 'second']) {
      await node.queue.add({ lane: 'echo.openfaas-fn', callId, meta: '{}', body: Buffer.from('x') });
      await (await node.queue.take('echo.openfaas-fn'))?.bury('it never answered');
    }
    expect((await skein(['queue', 'dead'])).out).toMatch(
      /^ID +NODE +FOR .*\nnode-1\/1 +node-1 +echo\.openfaas-fn +first +1 +it never answered\n/,
    );
    expect(JSON.parse((await skein(['queue', 'dead', '--json'])).out)).toMatchObject([
      { id: 'node-1/1', node: 'node-1' },
      { id: 'node-1/2' },
    ]);
    expect((await skein(['queue', 'replay', 'node-1/1'])).out).toBe('replayed node-1/1\n');
    expect((await skein(['queue', 'drop', 'node-1/2'])).out).toBe('dropped node-1/2\n');
    expect((await skein(['queue', 'dead', '--quiet'])).out).toBe('');
    expect((await skein(['queue', 'replay', 'node-7/1'])).code).toBe(1);
    node.peers.push(createPeerHost({ id: 'node-3', name: 'node-3' }, () => Promise.reject(new Error('gone'))));
    const listed = await skein(['queue', 'list']);
    expect(listed.out).toMatch(/^FUNCTION .*\necho\.openfaas-fn +1 /);
    expect(listed.err).toContain('node-3');
    node.peers.length = 0;
    expect((await skein(['queue', 'list', '--quiet'])).out).toBe('echo.openfaas-fn\n');
  });
});
