import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { arch, hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseImage } from '../bundles/image.ts';
import { silentLog } from '../telemetry/log.ts';
import { build } from './build.ts';
import { pngOf } from './png.fixture.ts';
import { buildAndOpen } from './run-bundle.fixture.ts';
import { readStackFile } from './stack-file.ts';

const functions = path.resolve(import.meta.dirname, '../../functions');
const names = 'figlet shasum echo nodeinfo burn qrcode eat-memory cat sha512sum'.split(' ');
let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'skein-samples-'));
});

afterAll(async () => rm(scratch, { recursive: true, force: true }));

const sample = async (name: string) => buildAndOpen(path.join(functions, name), scratch);

describe('the sample function', () => {
  it('figlet prints a banner, of something even when it is sent nothing', async () => {
    const { built, call } = await sample('figlet');
    expect(built.manifest).toMatchObject({ mode: 'node', handler: 'event' });
    expect(built.files).toEqual(['handler.mjs', 'skein.json']);
    const answer = await call({ body: 'Hello' });
    expect(answer).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' });
    expect(answer.body).toContain('| | | | ___| | | ___');
    expect((await call({})).body.split('\n').length).toBeGreaterThan(4);
  });

  it('shasum gives the checksum that sha512sum gives', async () => {
    const { call } = await sample('shasum');
    const sum = (algorithm: string) => `${createHash(algorithm).update('abc').digest('hex')}  -\n`;
    expect((await call({ body: 'abc' })).body).toBe(sum('sha512'));
    expect((await call({ body: 'abc', path: '/?algorithm=sha256' })).body).toBe(sum('sha256'));
    expect((await call({ body: 'abc', path: '/?algorithm=md4' })).status).toBe(400);
    expect((await call({})).body).toMatch(/^cf83e1357eefb8bd/);
  });

  it('echo answers with what it is sent, and its type', async () => {
    const { call } = await sample('echo');
    const answer = await call({ body: '{"a":1}', headers: { 'content-type': 'application/json' } });
    expect(answer).toEqual({ status: 200, type: 'application/json', body: '{"a":1}' });
  });

  it('nodeinfo tells who served, as text or JSON', async () => {
    const { built, call } = await sample('nodeinfo');
    expect(built.manifest).toMatchObject({ handler: 'event' });
    const headers = { 'x-skein-node': 'node-2' };
    expect((await call({ headers })).body).toContain('Node:      node-2\n');
    const answer = await call({ headers: { ...headers, accept: 'application/json' } });
    expect(JSON.parse(answer.body)).toMatchObject({ node: 'node-2', hostname: hostname(), arch: arch() });
    expect((await call({ path: '/?json' })).type).toBe('application/json');
  });

  it('burn does what it is told and refuses nonsense', async () => {
    const { call } = await sample('burn');
    const answer = await call({ path: '/?sleep=30&cpu=20' });
    const took = JSON.parse(answer.body) as { readonly tookMs: number };
    expect(took).toMatchObject({ sleepMs: 30, cpuMs: 20 });
    expect(took.tookMs).toBeGreaterThanOrEqual(49);
    for (const query of ['sleep=-1', 'cpu=x', 'sleep=60001', 'cpu=1e3', 'sleep=']) {
      expect((await call({ path: `/?${query}` })).status, query).toBe(400);
    }
  });
});

it('qrcode draws PNG, SVG or text, as the query or Accept asks', async () => {
  const { built, call } = await sample('qrcode');
  expect(built.files).toEqual(['handler.mjs', 'skein.json']);
  expect(await call({ body: 'Hello\n' })).toMatchObject({
    status: 200,
    type: 'image/png',
    body: expect.stringMatching(/^.PNG\r\n/s),
  });
  const svg = await call({ body: 'Hello\n', headers: { accept: 'image/svg+xml' } });
  expect(svg).toMatchObject({ status: 200, type: 'image/svg+xml', body: expect.stringMatching(/^<svg .*<\/svg>/s) });
  expect(await call({ path: '/?text=Hello&format=svg' })).toEqual(svg);
  expect((await call({ path: '/?text=Hello', headers: { accept: 'text/plain;q=1, */*' } })).body).toMatch(/[▀▄█]/);
  expect((await call({ path: '/?text=x&format=gif' })).status).toBe(400);
  expect((await call({})).status).toBe(400);
  expect((await call({ body: 'x'.repeat(2954) })).status).toBe(413);
});

it('eat-memory holds what it is told, within bounds', async () => {
  const { call } = await sample('eat-memory');
  const { body } = await call({ path: '/?mb=64&ms=5' });
  const held = JSON.parse(body) as { readonly mb: number; readonly rssMb: number };
  expect(held).toMatchObject({ mb: 64, ms: 5 });
  expect(held.rssMb).toBeGreaterThan(64);
  for (const query of ['mb=513', 'mb=-1', 'ms=60001', 'mb=x']) {
    expect((await call({ path: `/?${query}` })).status, query).toBe(400);
  }
});

it('ocr reads the text of an image, with all it needs in its bundle', async () => {
  const { built, folder } = await sample('ocr');
  expect(built.manifest).toMatchObject({ mode: 'http', ready: '/healthz' });
  expect(built.bytes).toBeLessThan(10 * 1024 * 1024);
  const socketPath = path.join(scratch, 'ocr');
  const child = spawn(process.execPath, ['server.js'], { cwd: folder, env: { PORT: socketPath }, stdio: 'ignore' });
  try {
    await waitFor(async () => (await ask(socketPath, 'GET', '/healthz')).status === 200);
    const read = await ask(socketPath, 'POST', '/?json', pngOf('HELLO OTTER'));
    expect(JSON.parse(read.body)).toMatchObject({ text: 'HELLO OTTER\n' });
    expect((await ask(socketPath, 'POST', '/', Buffer.from('no image'))).status).toBe(400);
    const broken = pngOf('HELLO').subarray(0, 60);
    expect((await ask(socketPath, 'POST', '/', broken)).status).toBe(422);
    expect((await ask(socketPath, 'POST', '/', pngOf('HELLO'))).body).toBe('HELLO\n');
  } finally {
    child.kill('SIGKILL');
  }
  const { functions: stack } = await readStackFile(path.join(functions, 'stack-ocr.yml'), {});
  expect(stack).toMatchObject([{ folder: path.join(functions, 'ocr'), deployment: { service: 'ocr' } }]);
});

const ask = (socketPath: string, method: string, at: string, body?: Buffer) =>
  new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const sent = request({ socketPath, method, path: at }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.on('error', reject).end(body);
  });

/** A process that starts tells nobody when it listens. */
const waitFor = async (holds: () => Promise<boolean>): Promise<void> => {
  for (const giveUpAt = Date.now() + 50_000; Date.now() < giveUpAt; await sleep(50)) {
    if (await holds().catch(() => false)) return;
  }
  throw new Error('it did not become ready');
};

it.each(['cat', 'sha512sum'])('%s is a program that runs for each call', async (name) => {
  const out = path.join(scratch, `${name}.tar.gz`);
  const built = await build({ folder: path.join(functions, name), image: name, out, log: silentLog });
  expect(built.manifest).toMatchObject({ mode: 'classic', fprocess: name });
  const { functions: stack } = await readStackFile(path.join(functions, 'stack.yml'), {});
  expect(stack.find(({ deployment }) => deployment.service === name)?.deployment.envProcess).toBe(name);
});

it('all sample functions are in functions/stack.yml, to be started on their first call', async () => {
  const { functions: stack, ignored } = await readStackFile(path.join(functions, 'stack.yml'), {});
  expect(ignored).toEqual([]);
  expect(stack.map(({ folder }) => folder)).toEqual(names.map((name) => path.join(functions, name)));
  for (const { deployment } of stack) {
    expect(deployment.labels).toMatchObject({ 'com.openfaas.scale.min': '0' });
    expect(parseImage(deployment.image)).toEqual({ name: deployment.service, tag: 'latest' });
  }
});
