import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { asAdmin, call, credentials, digestOf, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

const archive = goodArchive();
const path = '/system/overrides/figlet';
const atNode2 = { selector: ['skein.node==node-2'], labels: { 'dfaas.maxrate': '16' } };

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  const bundle = `/system/bundles/${digestOf(archive)}?image=figlet:1`;
  await call(node.systemSocket, 'PUT', bundle, { headers: credentials, body: archive });
});

afterAll(async () => node.stop());

const deploy = () => asAdmin(node, 'POST', '/system/functions', { service: 'figlet', image: 'figlet:1' });
const remove = () => asAdmin(node, 'DELETE', '/system/functions', { functionName: 'figlet' });
const listed = async (): Promise<unknown> => JSON.parse((await asAdmin(node, 'GET', path)).body);

beforeEach(async () => {
  await remove();
  expect((await deploy()).status).toBe(202);
});

describe('overrides of a function', () => {
  it('are kept in the catalogue under their ids, replaced and removed', async () => {
    const two = { selector: [], envVars: { A: 'b' }, limits: { memory: '64Mi' } };
    expect(await asAdmin(node, 'PUT', `${path}/b-two`, two)).toMatchObject({ status: 202, body: '' });
    expect((await asAdmin(node, 'PUT', `${path}/a-one`, two)).status).toBe(202);
    expect((await asAdmin(node, 'PUT', `${path}/a-one?namespace=openfaas-fn`, atNode2)).status).toBe(202);
    expect(node.catalogue.get('override/openfaas-fn/figlet/a-one')?.value).toEqual(atNode2);
    expect(await listed()).toEqual([
      { id: 'a-one', ...atNode2 },
      { id: 'b-two', ...two },
    ]);
    expect(JSON.parse((await asAdmin(node, 'GET', `${path}/a-one`)).body)).toEqual({ id: 'a-one', ...atNode2 });
    expect((await asAdmin(node, 'DELETE', `${path}/b-two`)).status).toBe(202);
    expect(await listed()).toEqual([{ id: 'a-one', ...atNode2 }]);
  });

  it('go with the function, so that the next of its name begins without any', async () => {
    await asAdmin(node, 'PUT', `${path}/one`, atNode2);
    expect((await remove()).status).toBe(202);
    expect((await asAdmin(node, 'GET', path)).status).toBe(404);
    await deploy();
    expect(await listed()).toEqual([]);
  });

  it.each([
    ['a selector nobody understands', 'one', { ...atNode2, selector: ['nodes==2'] }, /speaks of "nodes"/],
    ['a label that could not be followed', 'one', { ...atNode2, labels: { 'dfaas.maxrate': 'x' } }, /dfaas\.maxrate/],
    ['a misspelt member', 'one', { ...atNode2, label: {} }, /label/],
    ['nothing to change', 'one', { selector: [], labels: {} }, /changes nothing/],
    ['no selector', 'one', { labels: { a: 'b' } }, /selector: is required/],
    ['an id that is no DNS label', 'One_', atNode2, /DNS label/],
  ])('are refused with %s', async (_, id, body, sentence) => {
    const answer = await asAdmin(node, 'PUT', `${path}/${id}`, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(sentence);
    expect(await listed()).toEqual([]);
  });

  it('are not found where there is no such function or override', async () => {
    const absent = '/system/overrides/absent';
    const answers = await Promise.all([
      asAdmin(node, 'GET', absent),
      asAdmin(node, 'PUT', `${absent}/one`, atNode2),
      asAdmin(node, 'DELETE', `${absent}/one`),
      asAdmin(node, 'GET', `${path}/one`),
      asAdmin(node, 'DELETE', `${path}/one`),
      asAdmin(node, 'DELETE', `${path}/One_`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404]);
  });

  it('are not found with the name of the function that was probably meant', async () => {
    const answers = await Promise.all([
      asAdmin(node, 'GET', '/system/overrides/figlt'),
      asAdmin(node, 'PUT', '/system/overrides/figlt/one', atNode2),
      asAdmin(node, 'DELETE', '/system/overrides/figlt/one'),
    ]);
    for (const { body } of answers) expect(body).toBe('service figlt not found: did you mean figlet?\n');
  });

  it('are as many as a function may have, and no more', async () => {
    for (let index = 0; index < 256; index++) {
      await node.catalogue.put(`override/openfaas-fn/figlet/n-${index}`, atNode2);
    }
    expect((await asAdmin(node, 'PUT', `${path}/one`, atNode2)).status).toBe(413);
    expect((await asAdmin(node, 'PUT', `${path}/n-7`, atNode2)).status).toBe(202);
  });
});
