import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { asAdmin, call, credentials, digestOf, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

const archive = goodArchive();
const labels = { openfaas: '1' };

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  const bundle = `/system/bundles/${digestOf(archive)}?image=figlet:1`;
  await call(node.systemSocket, 'PUT', bundle, { headers: credentials, body: archive });
});

afterAll(async () => node.stop());

const send = (method: string, name: string, body?: unknown) => asAdmin(node, method, `/system/namespace/${name}`, body);
const get = async (path: string): Promise<unknown> => JSON.parse((await asAdmin(node, 'GET', path)).body);

describe('namespaces', () => {
  it('are made by name in the body or in the path, listed, shown, replaced and removed', async () => {
    const team = { name: 'team', labels, annotations: { owner: 'ada' } };
    expect(await send('POST', '', team)).toMatchObject({ status: 201, body: '' });
    expect(await send('POST', 'dev', { labels })).toMatchObject({ status: 201 });
    expect(await get('/system/namespaces')).toEqual(['dev', 'openfaas-fn', 'team']);
    expect(await get('/system/namespace/team')).toEqual(team);
    expect(node.catalogue.get('namespace/team')?.value).toEqual({ labels, annotations: { owner: 'ada' } });

    expect(await send('PUT', 'team', { ...team, annotations: {} })).toMatchObject({ status: 202 });
    expect(await get('/system/namespace/team')).toEqual({ name: 'team', labels, annotations: {} });
    expect(await send('DELETE', 'team', { name: 'team', labels })).toMatchObject({ status: 202 });
    expect(await send('DELETE', 'dev')).toMatchObject({ status: 202 });
    expect(await get('/system/namespaces')).toEqual(['openfaas-fn']);
    expect(await send('GET', 'team')).toMatchObject({ status: 404, body: 'namespace team not found\n' });
    expect(await send('PUT', 'team', team)).toMatchObject({ status: 404, body: 'namespace team not found\n' });
    expect(await send('DELETE', 'team', team)).toMatchObject({ status: 404, body: 'namespace team not found\n' });
  });

  it.each([
    ['no label', 'x', { name: 'x' }, 'request does not have openfaas=1 label'],
    ['another label', 'x', { labels: { openfaas: '0' } }, 'request does not have openfaas=1 label'],
    ['another name than the path', 'x', { name: 'y', labels }, 'does not match'],
    ['no name', '', { labels }, 'namespace not specified in URL'],
    ['a name that is no DNS label', 'X_y', { labels }, 'DNS label'],
  ])('are refused with %s', async (_what, name, body, sentence) => {
    const answer = await send('POST', name, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(sentence);
    expect(await get('/system/namespaces')).toEqual(['openfaas-fn']);
  });

  it('are made once', async () => {
    await send('POST', 'once', { labels });
    expect(await send('POST', 'once', { labels })).toMatchObject({
      status: 409,
      body: 'namespace once already exists\n',
    });
    expect(await send('POST', 'openfaas-fn', { labels })).toMatchObject({ status: 409 });
    await send('DELETE', 'once');
  });

  it('keep functions of one name apart, in every way a namespace can be named', async () => {
    const deploy = (namespace?: string) =>
      asAdmin(node, 'POST', '/system/functions', { service: 'same', image: 'figlet:1', namespace });
    expect(await deploy('blue')).toMatchObject({ status: 400, body: 'namespace not valid\n' });
    await send('POST', 'blue', { labels });
    expect((await deploy('blue')).status).toBe(202);
    expect((await deploy()).status).toBe(202);
    expect(await get('/system/functions?namespace=blue')).toMatchObject([{ name: 'same', namespace: 'blue' }]);
    expect(await get('/system/functions')).toMatchObject([{ name: 'same', namespace: 'openfaas-fn' }]);
    expect(await get('/system/function/same.blue')).toMatchObject({ namespace: 'blue' });
    expect(await get('/system/function/same?namespace=blue')).toMatchObject({ namespace: 'blue' });
  });

  it('stay while they hold functions, and take their secrets along when they go', async () => {
    await asAdmin(node, 'POST', '/system/secrets', { name: 'key', namespace: 'blue', value: 'x' });
    const refused = await send('DELETE', 'blue');
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.body).toContain('remove same first');
    await asAdmin(node, 'DELETE', '/system/functions', { functionName: 'same', namespace: 'blue' });
    expect((await send('DELETE', 'blue')).status).toBe(202);
    expect(node.catalogue.list('secret/blue/')).toEqual([]);
    expect((await send('DELETE', 'openfaas-fn')).status).toBe(400);
  });

  it('live on while a function is in them that another node deployed as they were removed', async () => {
    const deployment = { service: 'late', image: 'figlet:1', namespace: 'green' };
    const createdAt = '2026-01-01T00:00:00.000Z';
    await node.catalogue.put('function/green/late', { deployment, digest: digestOf(archive), createdAt });
    expect(await get('/system/namespaces')).toEqual(['green', 'openfaas-fn']);
    expect((await asAdmin(node, 'DELETE', '/system/functions', { functionName: 'late.green' })).status).toBe(202);
    expect(await get('/system/namespaces')).toEqual(['openfaas-fn']);
  });
});
