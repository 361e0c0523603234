import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { arch, hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseImage } from '../bundles/image.ts';
import { silentLog } from '../telemetry/log.ts';
import { build } from './build.ts';
import { buildAndOpen } from './run-bundle.fixture.ts';
import { readStackFile } from './stack-file.ts';

const functions = path.resolve(import.meta.dirname, '../../functions');
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

it.each(['cat', 'sha512sum'])('%s is a program that runs for each call', async (name) => {
  const out = path.join(scratch, `${name}.tar.gz`);
  const built = await build({ folder: path.join(functions, name), image: name, out, log: silentLog });
  expect(built.manifest).toMatchObject({ mode: 'classic', fprocess: name });
  const stack = await readStackFile(path.join(functions, 'stack.yml'), {});
  expect(stack.find(({ deployment }) => deployment.service === name)?.deployment.envProcess).toBe(name);
});

it('all sample functions are in functions/stack.yml, to be started on their first call', async () => {
  const stack = await readStackFile(path.join(functions, 'stack.yml'), {});
  expect(stack.map(({ folder }) => folder)).toEqual(
    ['figlet', 'shasum', 'echo', 'nodeinfo', 'burn', 'cat', 'sha512sum'].map((name) => path.join(functions, name)),
  );
  for (const { deployment } of stack) {
    expect(deployment.labels).toEqual({ 'com.openfaas.scale.min': '0' });
    expect(parseImage(deployment.image)).toEqual({ name: deployment.service, tag: 'latest' });
  }
});
