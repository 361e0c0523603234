import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { createSecrets } from '../secrets/secrets.ts';
import { createVault } from '../secrets/vault.ts';
import { systemClock } from '../std/clock.ts';
import { asAdmin, call, credentials, digestOf, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

const archive = goodArchive();
const path = '/system/secrets';
const logged: unknown[] = [];
const note = (fields: unknown): void => void logged.push(fields);

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode('node-1', { log: { debug: note, info: note, warn: note, error: note } });
  const bundle = `/system/bundles/${digestOf(archive)}?image=figlet:1`;
  await call(node.systemSocket, 'PUT', bundle, { headers: credentials, body: archive });
  await asAdmin(node, 'POST', '/system/namespace/dev', { labels: { openfaas: '1' } });
});

afterAll(async () => node.stop());

const send = (method: string, body: unknown, query = '') => asAdmin(node, method, `${path}${query}`, body);
const list = async (query = ''): Promise<unknown> => JSON.parse((await asAdmin(node, 'GET', path + query)).body);
/** As a node reads it that delivers it. */
const valueOf = (name: string, namespace = 'openfaas-fn') =>
  createSecrets({ catalogue: node.catalogue, vault: createVault('ab'.repeat(32)), clock: systemClock })
    .read(namespace, [name])
    .get(name);

describe('secrets', () => {
  it('are made, replaced and removed with the statuses that faas-cli takes', async () => {
    expect(await send('POST', { name: 'key', value: 'one' })).toMatchObject({ status: 201, body: '' });
    expect((await send('POST', { name: 'key', value: 'two' })).status).toBe(409);
    expect(valueOf('key')?.toString()).toBe('one');
    expect(await send('PUT', { name: 'key', value: 'two\n' })).toMatchObject({ status: 200, body: '' });
    expect(valueOf('key')?.toString()).toBe('two\n');
    expect(await list()).toEqual([{ name: 'key', namespace: 'openfaas-fn' }]);
    expect(await send('DELETE', { name: 'key' })).toMatchObject({ status: 200, body: '' });
    expect((await send('DELETE', { name: 'key' })).status).toBe(404);
    expect((await send('PUT', { name: 'key', value: 'x' })).status).toBe(404);
    expect(await list()).toEqual([]);
  });

  it('keep bytes as they are, whichever way they come', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0xfe, 10]);
    await send('POST', { name: 'raw', rawValue: bytes.toString('base64'), value: 'ignored' });
    await send('POST', { name: 'text', rawValue: null, value: 'hé\u0000\n' });
    expect(valueOf('raw')).toEqual(bytes);
    expect(valueOf('text')).toEqual(Buffer.from('hé\u0000\n'));
  });

  it('belong to a namespace, of the body before the query', async () => {
    expect((await send('POST', { name: 'a', value: '1' }, '?namespace=dev')).status).toBe(201);
    expect((await send('POST', { name: 'b', namespace: 'dev', value: '2' }, '?namespace=openfaas-fn')).status).toBe(
      201,
    );
    expect(await list('?namespace=dev')).toEqual([
      { name: 'a', namespace: 'dev' },
      { name: 'b', namespace: 'dev' },
    ]);
    expect((await send('DELETE', { name: 'a' }, '?namespace=dev')).status).toBe(200);
    expect((await send('DELETE', { name: 'b', namespace: 'dev' })).status).toBe(200);
    expect((await send('POST', { name: 'a', namespace: 'nope', value: '1' })).body).toBe('namespace not valid\n');
  });

  it.each([
    ['no name', { value: 'x' }, 400, 'name: is required'],
    ['an empty name', { name: '', value: 'x' }, 400, 'non-empty name is required'],
    ['a way out of the folder', { name: '../up', value: 'x' }, 400, 'directory traversal found in name'],
    ['no value', { name: 'x' }, 400, 'needs a value'],
    ['what is no base64', { name: 'x', rawValue: '!!' }, 400, 'rawValue: must be base64'],
    ['a long value', { name: 'x', value: 'y'.repeat(128 * 1024 + 1) }, 413, 'at most 131072 bytes'],
  ])('are refused with %s', async (_what, body, status, sentence) => {
    const answer = await send('POST', body);
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(sentence);
  });

  it('never come back: not in answers, not in refusals, not in logs', async () => {
    const value = 'correct-horse-battery';
    const answers = [
      await send('POST', { name: 'pass', value }),
      await send('PUT', { name: 'pass', value: `${value}2` }),
      await send('POST', { name: 'pass', value }),
      await send('POST', { name: 'pass', value: { value } }),
      await send('PUT', { name: '..', value }),
      await call(node.systemSocket, 'POST', path, { headers: credentials, body: `{"name":"x","value":${value}` }),
      await asAdmin(node, 'GET', path),
      await send('DELETE', { name: 'pass' }),
    ];
    for (const { body } of answers) expect(body).not.toContain('horse');
    expect(JSON.stringify(logged)).not.toContain('horse');
    expect(JSON.stringify(node.catalogue.list('secret/'))).not.toContain('horse');
  });

  it('must be there when a function is deployed that names them', async () => {
    const body = { service: 'x', image: 'figlet:1', secrets: ['have', 'no', '../no'] };
    await send('POST', { name: 'have', value: '1' });
    const answer = await asAdmin(node, 'POST', '/system/functions', body);
    expect(answer).toMatchObject({ status: 400, body: 'unable to find secret: no, ../no\n' });
    expect((await asAdmin(node, 'POST', '/system/functions', { ...body, secrets: ['have'] })).status).toBe(202);
    expect(JSON.parse((await asAdmin(node, 'GET', '/system/function/x')).body)).toMatchObject({ secrets: ['have'] });
    expect((await send('DELETE', { name: 'have' })).status).toBe(200);
  });
});
