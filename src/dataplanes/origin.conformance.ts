import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { call, eventually, exchange } from './calls.testing.ts';
import { places, serveAt, type Nodes } from './serving.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

const said = {
  'x-forwarded-for': '203.0.113.9, 10.0.0.2',
  'x-forwarded-host': 'shop.example',
  'x-forwarded-proto': 'https',
  forwarded: 'for=203.0.113.9',
};

const seen = async (url: string, headers: Readonly<Record<string, string | readonly string[]>>) =>
  JSON.parse((await call(url, { headers })).body) as Record<string, string>;

/** What a function hears of where and when a call comes from. */
export const originConformance = (nodes: Nodes, trusting: () => TestNode): void => {
  describe.each(places)('the origin of a call served %s', (where) => {
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
      const node = trusting();
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

    it('is at the host of the target where that is a whole address, whatever Host says', async () => {
      const url = new URL(await address(nodes().a));
      const head = `GET http://other:81${url.pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
      const text = await exchange(Number(url.port), head);
      expect(text).toContain('"x-forwarded-host":"other:81"');
      expect(text).toContain('"host":"other:81"');
    });

    it('and its time are told to client and function alike, in nanoseconds, whatever either says', async () => {
      const url = await serveAt({ a: nodes().a, b: nodes().b }, where, 'timed', (request, response) => {
        response.writeHead(200, { 'x-start-time': 'made up' }).end(request.headers['x-start-time']);
      });
      const before = BigInt(Date.now()) * 1_000_000n;
      const { headers, body } = await call(url, { headers: { 'x-start-time': '7' } });
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      expect(headers['x-start-time']).toBe(body);
      expect(BigInt(body)).toBeGreaterThanOrEqual(before);
      expect(BigInt(body)).toBeLessThan(after);
    });
  });

  it('what is asked of the agent is told as a path where it comes as a whole address', async () => {
    const { b } = nodes();
    const told: (string | undefined)[] = [];
    await b.listen(join(b.facts.folder, 'system.sock'), ({ url }, response) => {
      told.push(url);
      response.end();
    });
    const head = `GET http://x/system/functions?of=all HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    expect(await exchange(b.port, head)).toMatch(/^HTTP\/1\.1 200 /);
    expect(told).toEqual(['/system/functions?of=all']);
  });

  describe('the time at which a call came', () => {
    it('is told to a client that is refused', async () => {
      const { a } = nodes();
      await a.apply(4, {});
      const { status, headers } = await call(`${a.url}/function/nobody`);
      expect(status).toBe(404);
      expect(headers['x-start-time']).toMatch(/^\d{19}$/);
    });

    it('is told of a call that waits for a replica', async () => {
      const { a } = nodes();
      const none = functionPlan([], { canStart: true, queueMs: 20_000 });
      await a.apply(4, { awaited: none });
      const waiting = call(`${a.url}/function/awaited`);
      await eventually(async () => (await a.observed('awaited')).inFlight === 1, 'it waits');
      const replica = await a.replica('awaited', (request, response) => response.end(request.headers['x-start-time']));
      await a.apply(4, { awaited: functionPlan([replica], { canStart: true }) });
      const { headers, body } = await waiting;
      expect(body).toMatch(/^\d{19}$/);
      expect(headers['x-start-time']).toBe(body);
    });

    it('is told of an asynchronous call, and of nothing else that the agent answers', async () => {
      const { a } = nodes();
      await a.listen(join(a.facts.folder, 'system.sock'), (_request, response) => response.writeHead(202).end());
      const asked = await call(`${a.url}/async-function/later`);
      expect(asked.status).toBe(202);
      expect(asked.headers['x-start-time']).toMatch(/^\d{19}$/);
      expect((await call(`${a.url}/system/functions`)).headers).not.toHaveProperty('x-start-time');
    });
  });
};
