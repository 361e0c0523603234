import { request as httpsRequest } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { call, eventually, Gate } from './calls.testing.ts';
import { selfSigned } from './certificate.ts';
import { channelOptions } from './peer-channel.ts';
import { functionPlan } from './test-node.testing.ts';
import { idle, places, serveAt, type Nodes } from './serving.testing.ts';

/** The time that a call has: the caller's, the gateway's, the peer's and the function's agree. */
export const deadlinesConformance = (nodes: Nodes): void => {
  describe.each(places)('the time of a call served %s', (where) => {
    it('is shortened by X-Timeout, and the function is told what remains', async () => {
      const { a, b } = nodes();
      const gate = new Gate();
      let told: string | undefined;
      const url = await serveAt(nodes(), where, 'short', (request, response) => {
        told = request.headers['x-timeout'] as string;
        gate.listener(request, response);
      });
      const answer = await call(url, { headers: { 'X-Timeout': '1500ms' } });
      expect(answer).toMatchObject({ status: 504, reason: 'timeout' });
      expect(told).toMatch(/^\d+ms$/);
      expect(Number.parseInt(told ?? '', 10)).toBeGreaterThan(0);
      expect(Number.parseInt(told ?? '', 10)).toBeLessThanOrEqual(1_500);
      await eventually(() => gate.left === 1, 'the function hears of it');
      await idle(a, b);
    });

    it('is never lengthened by X-Timeout', async () => {
      const gate = new Gate();
      const url = await serveAt(nodes(), where, 'bounded', gate.listener, { timeoutMs: 150 });
      expect(await call(url, { headers: { 'X-Timeout': '1h' } })).toMatchObject({ status: 504, reason: 'timeout' });
    });

    it.each(['5', '5s', '1m30s', '2500ms', '0.5h'])('may be asked for as %s', async (text) => {
      const url = await serveAt(nodes(), where, 'asked', (request, response) =>
        response.end(String(request.headers['x-timeout'] !== undefined)),
      );
      const told = (await call(url, { headers: { 'X-Timeout': text } })).body;
      if (where === 'here') expect(told).toBe(String(!/[mh]\d*s?$/.test(text) || text === '2500ms'));
      expect((await call(url)).status).toBe(200);
    });

    it.each(['soon', '-5s', '', '5 seconds', '99999999999999999999', 'NaN', '1e3'])(
      'that is asked for as %j is refused',
      async (text) => {
        const url = await serveAt(nodes(), where, 'absurd', (_request, response) => response.end('ran'));
        expect(await call(url, { headers: { 'X-Timeout': text } })).toMatchObject({
          status: 400,
          reason: 'bad-request',
          body: expect.stringContaining('X-Timeout'),
        });
      },
    );

    it.each(['0', '0s', '0h0m0ms'])('is the function’s own where the caller sets no bound: %s', async (text) => {
      const url = await serveAt(nodes(), where, 'unbounded', (request, response) =>
        response.end(String(request.headers['x-timeout'] === '0' || request.headers['x-timeout'] === text)),
      );
      expect(await call(url, { headers: { 'X-Timeout': text } })).toMatchObject({ status: 200, body: 'false' });
    });

    it('ends an answer that goes on and on', async () => {
      const { a, b } = nodes();
      let left = 0;
      const url = await serveAt(
        nodes(),
        where,
        'endless',
        (_request, response) => {
          response.write('first');
          const going = setInterval(() => response.write('more'), 20);
          response.once('close', () => {
            clearInterval(going);
            left += 1;
          });
        },
        { timeoutMs: 1_000 },
      );
      const ended = await call(url).then(
        ({ status }) => status,
        ({ message }: Error) => message,
      );
      // A machine that has its hands full may not have begun to answer.
      expect(['aborted', 504]).toContain(ended);
      await eventually(() => left === 1, 'the function hears of it');
      await idle(a, b);
    });

    it('does not come from X-Skein-Deadline of a client', async () => {
      const url = await serveAt(nodes(), where, 'forged', (_request, response) => response.end('ran'));
      expect((await call(url, { headers: { 'X-Skein-Deadline': '0' } })).status).toBe(200);
    });
  });

  describe('the time of a call', () => {
    it('that waits for room ends in the queue', async () => {
      const { a } = nodes();
      const gate = new Gate();
      const replica = await a.replica('waits-for-room', gate.listener);
      await a.apply(1, { queued: functionPlan([replica], { queueMs: 10_000 }) });
      const first = call(`${a.url}/function/queued`);
      await gate.arrived(1);
      const second = await call(`${a.url}/function/queued`, { headers: { 'X-Timeout': '100ms' } });
      expect(second).toMatchObject({ status: 504, reason: 'timeout' });
      gate.open();
      await first;
      expect(await a.observed('queued')).toMatchObject({ served: 1, queued: 0 });
      await idle(a);
    });

    it.each([
      ['0', 504],
      ['-20', 504],
      ['soon', 400],
      ['5000', 200],
    ])('that a peer gives as %s is answered %i', async (left, status) => {
      const { a, b } = nodes();
      const url = await serveAt(nodes(), 'through a peer', 'given', (request, response) =>
        response.end(request.headers['x-timeout'] ?? 'none'),
      );
      expect((await call(url)).status).toBe(200);
      const { port } = b.plane.address().peer;
      const sent = httpsRequest({
        ...channelOptions(await selfSigned(a.facts.identity.privateKey, Date.now())),
        host: '127.0.0.1',
        port,
        path: '/function/given',
        agent: false,
        headers: { 'x-skein-deadline': left, 'x-skein-hop': '1' },
      });
      sent.end();
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).toBe(status);
    });
  });
};
