import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from './calls.testing.ts';
import { places, serveAt, type Nodes } from './serving.testing.ts';
import { TestNode, type OpenPlane } from './test-node.testing.ts';

const said = {
  'x-forwarded-for': '203.0.113.9, 10.0.0.2',
  'x-forwarded-host': 'shop.example',
  'x-forwarded-proto': 'https',
  forwarded: 'for=203.0.113.9',
};

const seen = async (url: string, headers: Readonly<Record<string, string | readonly string[]>>) =>
  JSON.parse((await call(url, { headers })).body) as Record<string, string>;

/** What a function hears of where a call comes from. */
export const originConformance = (nodes: Nodes, open: OpenPlane): void => {
  describe.each(places)('the origin of a call served %s', (where) => {
    let trusting: TestNode | undefined;
    beforeAll(async () => {
      trusting = await TestNode.start('trusting', open, { trustedProxies: ['10.0.0.0/8', '127.0.0.0/8'] });
    });
    afterAll(() => trusting?.stop());

    const address = (a: TestNode): Promise<string> =>
      serveAt({ a, b: nodes().b }, where, 'origin', (request, response) =>
        response.end(JSON.stringify(request.headers)),
      );

    it('is what the connection says, whatever the client does', async () => {
      const { a } = nodes();
      const headers = await seen(await address(a), said);
      expect(headers).toMatchObject({
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': `127.0.0.1:${a.port}`,
        'x-forwarded-proto': 'http',
      });
      expect(headers).not.toHaveProperty('forwarded');
    });

    it('is what a trusted proxy says, with its own address behind', async () => {
      const node = trusting as TestNode;
      expect(await seen(await address(node), said)).toMatchObject({
        'x-forwarded-for': '203.0.113.9, 10.0.0.2, 127.0.0.1',
        'x-forwarded-host': 'shop.example',
        'x-forwarded-proto': 'https',
      });
      const twice = await seen(await address(node), { 'x-forwarded-for': ['203.0.113.9', '10.0.0.2'] });
      expect(twice).toMatchObject({ 'x-forwarded-for': '203.0.113.9, 10.0.0.2, 127.0.0.1' });
      expect(await seen(await address(node), {})).toMatchObject({
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': `127.0.0.1:${node.port}`,
        'x-forwarded-proto': 'http',
      });
    });
  });
};
