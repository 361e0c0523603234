import { afterEach, expect, it } from 'vitest';
import { call } from '../calls.testing.ts';
import { places, serveAt } from '../serving.testing.ts';
import { TestNode } from '../test-node.testing.ts';
import { openMemory } from './open.testing.ts';

const started: TestNode[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((node) => node.stop()));
});

const start = async (name: string): Promise<TestNode> => {
  const node = await TestNode.start(name, (facts) => openMemory(facts));
  started.push(node);
  return node;
};

it.each(places)(
  'the client and the function of a call served %s are told the same time, in nanoseconds',
  async (where) => {
    const [a, b] = [await start('a'), await start('b')];
    const url = await serveAt({ a, b }, where, 'timed', (request, response) => {
      response.writeHead(200, { 'x-start-time': 'made up' }).end(request.headers['x-start-time']);
    });
    const before = BigInt(Date.now()) * 1_000_000n;
    const { headers, body } = await call(url, { headers: { 'x-start-time': '7' } });
    expect(headers['x-start-time']).toBe(body);
    expect(BigInt(body)).toBeGreaterThanOrEqual(before);
    expect(BigInt(body)).toBeLessThanOrEqual(BigInt(Date.now()) * 1_000_000n);
  },
);

it('a client that is refused is told when its call came', async () => {
  const node = await start('a');
  await node.apply(4, {});
  const { status, headers } = await call(`${node.url}/function/nobody`);
  expect(status).toBe(404);
  expect(headers['x-start-time']).toMatch(/^\d{19}$/);
});
