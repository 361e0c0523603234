import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, whole, type Asked, type Gateways } from './gateway.ts';

/** What a call of the probe tells of itself. */
export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const invokeCases = (gateways: () => Gateways): void => {
  const seen = async (path: string, asked: Asked = {}, method = 'POST'): Promise<Seen> => {
    const answer = await gateways().one.ask(method, `/function/${path}`, asked);
    expect(answer.status, answer.text).toBe(200);
    return answer.json<Seen>();
  };

  describe('§4 calls', () => {
    it.each([
      ['probe', '/'],
      ['probe/', '/'],
      ['probe?a=1&b=%20&a=2', '/?a=1&b=%20&a=2'],
      ['probe/some/path', '/some/path'],
      ['probe/a%2Fb/c%20d?x=%2F', '/a%2Fb/c%20d?x=%2F'],
      ['probe/trailing/', '/trailing/'],
      ['probe.openfaas-fn/x', '/x'],
      ['probe/healthz', '/healthz'],
      ['probe/_/health', '/_/health'],
    ])('/function/%s arrives as %s', async (path, url) => {
      expect((await seen(path)).url).toBe(url);
    });

    it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
      'pass %s on with its body',
      async (method) => {
        const { method: arrived, body } = await seen('probe', { body: 'payload' }, method);
        expect([arrived, Buffer.from(body, 'base64').toString()]).toEqual([method, 'payload']);
      },
    );

    it('answer HEAD with the head alone', async () => {
      const answer = await gateways().one.ask('HEAD', '/function/probe?do=headers');
      expect([answer.status, answer.text]).toEqual([200, '']);
      expect(answer.headers['x-custom']).toBe('Kept');
    });

    it.each([200, 201, 204, 304, 400, 404, 418, 500, 503])('pass status %d of the function on', async (status) => {
      const answer = await gateways().one.call(`probe?do=status&status=${status}`);
      expect(answer.status).toBe(status);
      expect(answer.headers['x-from']).toBe('function');
      expect(answer.headers).not.toHaveProperty('x-openfaas-internal');
      expect(answer.headers).not.toHaveProperty('x-skein-reason');
      expect(answer.text).toBe([204, 304].includes(status) ? '' : 'as asked');
    });

    it("pass the function's headers on, repeated ones too", async () => {
      const { headers, text } = await gateways().one.call('probe?do=headers');
      expect(headers).toMatchObject({
        'content-type': 'application/vnd.probe',
        'set-cookie': ['a=1', 'b=2'],
        'x-custom': 'Kept',
      });
      expect(text).toBe('ok');
    });

    it('do not follow redirects', async () => {
      const answer = await gateways().one.call('probe?do=redirect');
      expect([answer.status, answer.headers.location]).toEqual([302, 'http://elsewhere.invalid/there?a=b']);
    });

    it('pass the headers of the caller on, and none that belong to one connection', async () => {
      const { headers } = await seen('probe', {
        headers: {
          'x-own': 'Kept',
          'content-type': 'text/csv',
          accept: 'a/b',
          cookie: 'a=1',
          'user-agent': 'faas-cli/0.17.0',
          connection: 'close, x-hop',
          'x-hop': '1',
          te: 'trailers',
          'proxy-authorization': 'secret',
          'keep-alive': 'timeout=5',
        },
      });
      expect(headers).toMatchObject({
        'x-own': 'Kept',
        'content-type': 'text/csv',
        accept: 'a/b',
        cookie: 'a=1',
        'user-agent': 'faas-cli/0.17.0',
      });
      for (const name of ['x-hop', 'te', 'proxy-authorization', 'keep-alive']) expect(headers).not.toHaveProperty(name);
    });

    it('get an id, the same for the function and the caller', async () => {
      const answer = await gateways().one.call('probe');
      expect(answer.headers['x-call-id']).toMatch(uuid);
      expect(answer.json<Seen>().headers['x-call-id']).toBe(answer.headers['x-call-id']);
    });

    it('keep the id that a caller chose', async () => {
      const answer = await gateways().one.call('probe', { headers: { 'x-call-id': 'my-own-id' } });
      expect(answer.headers['x-call-id']).toBe('my-own-id');
      expect(answer.json<Seen>().headers['x-call-id']).toBe('my-own-id');
    });

    it('tell the function when they began, in nanoseconds, whatever the caller says', async () => {
      const before = BigInt(Date.now()) * 1_000_000n;
      const { headers } = await seen('probe', { headers: { 'x-start-time': '7' } });
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      expect(BigInt(headers['x-start-time'] ?? 0)).toBeGreaterThanOrEqual(before);
      expect(BigInt(headers['x-start-time'] ?? 0)).toBeLessThanOrEqual(after);
    });

    it.each(['one', 'two'] as const)('tell the caller when they began too, served at node %s', async (at) => {
      const number = at === 'one' ? 1 : 2;
      const { one } = gateways();
      const service = `began-${at}`;
      await one.deploy({ service, image: 'probe', constraints: [`skein.node==node-${number}`] });
      const answer = await one.call(service, { headers: { 'x-start-time': '7' } });
      expect(answer.headers['x-start-time']).toMatch(/^\d{19}$/);
      expect(answer.headers['x-start-time']).toBe(answer.json<Seen>().headers['x-start-time']);
      await one.remove(service);
    });

    it('tell the caller how long the function took, unless it says so itself', async () => {
      const answer = await gateways().one.call('probe');
      expect(answer.headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/);
      expect(Number(answer.headers['x-duration-seconds'])).toBeLessThan(30);
    });

    it('tell the function who called and for which host, and not what a caller makes up', async () => {
      const { headers } = await seen('probe', {
        headers: { host: 'api.example.org', 'x-forwarded-for': '8.8.8.8', 'x-forwarded-host': 'evil.example' },
      });
      expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'api.example.org' });
    });

    it('take a body of any length, announced or in chunks, and give it whole', async () => {
      const body = Buffer.alloc(5_000_000, 'skein');
      const sha256 = createHash('sha256').update(body).digest('hex');
      const announced = await gateways().one.call('probe?do=digest', { body });
      expect(announced.json()).toEqual({ bytes: body.length, sha256 });
      const chunked = gateways().one.begin('POST', '/function/probe?do=digest', {
        headers: { 'transfer-encoding': 'chunked' },
      });
      chunked.write(body.subarray(0, 1_000_000));
      chunked.end(body.subarray(1_000_000));
      const [incoming] = (await once(chunked, 'response')) as [IncomingMessage];
      expect((await whole(incoming)).json()).toEqual({ bytes: body.length, sha256 });
      const long = await gateways().one.call('probe?do=bytes&bytes=5000000');
      expect(long.bytes.equals(Buffer.alloc(5_000_000, 'a'))).toBe(true);
    });

    it('get leave to send their body with Expect: 100-continue', async () => {
      const outgoing = gateways().one.begin('POST', '/function/probe', {
        headers: { expect: '100-continue', 'content-length': '4' },
      });
      outgoing.flushHeaders();
      await once(outgoing, 'continue');
      outgoing.end('late');
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
      const { body, headers } = (await whole(incoming)).json<Seen>();
      expect(Buffer.from(body, 'base64').toString()).toBe('late');
      expect(headers).not.toHaveProperty('expect');
    });

    it('drop trailers, and do not announce any', async () => {
      const answer = await gateways().one.call('probe?do=trailers');
      expect([answer.status, answer.text]).toEqual([200, 'body']);
      expect(answer.headers).not.toHaveProperty('trailer');
      expect(answer.trailers).toEqual({});
    });

    it.each([
      ['text/event-stream', 'data: one\n\n', 'data: two\n\n'],
      ['application/x-ndjson', '{"n":1}\n', '{"n":2}\n'],
      ['text/plain', 'first ', 'second'],
    ])('pass each part of %s on at once', async (type, first, second) => {
      const { one } = gateways();
      const key = encodeURIComponent(type);
      const parts = new URLSearchParams({ type, first, second, key });
      const stream = await one.open('GET', `/function/probe?do=stream&${parts.toString()}`, {
        headers: { accept: type },
      });
      expect(stream.headers['content-type']).toBe(type);
      const [part] = (await once(stream, 'data')) as [Buffer];
      expect(part.toString()).toBe(first);
      stream.pause();
      // The function ends its answer only now: the first part was not waiting for the second.
      expect((await one.call(`probe?do=release&key=${encodeURIComponent(key)}`)).text).toBe('true');
      expect((await whole(stream)).text).toBe(second);
    });

    it('of the same name in other namespaces are other functions', async () => {
      isSentence(await gateways().one.call('probe.nowhere'), 404, 'probe.nowhere');
    });
  });

  describe('§4 what a failed call says', () => {
    it('an unknown function is 404, from the platform, with the reason and the id', async () => {
      const answer = await gateways().one.call('nobody');
      isSentence(answer, 404, 'nobody.openfaas-fn');
      expect(answer.headers['x-skein-reason']).toBe('unknown-function');
      expect(answer.headers['x-openfaas-internal']).toMatch(/\w/);
      expect(answer.headers['x-call-id']).toMatch(uuid);
      expect(answer.headers['x-start-time']).toMatch(/^\d{19}$/);
    });

    it('a function that broke off is 502, from the platform', async () => {
      const answer = await gateways().one.call('probe?do=break');
      isSentence(answer, 502, 'probe.openfaas-fn');
      expect(answer.headers['x-skein-reason']).toBe('function-failed');
      expect(answer.headers['x-openfaas-internal']).toMatch(/\w/);
    });

    it('an unknown function names the one that was probably meant', async () => {
      isSentence(await gateways().one.call('prove'), 404, 'probe');
    });

    it('a call that brought less time than the function has is 504 when that is over', async () => {
      const answer = await gateways().one.call('probe?do=wait', { headers: { 'x-timeout': '250ms' } });
      isSentence(answer, 504, 'probe.openfaas-fn');
      expect(answer.headers['x-skein-reason']).toBe('timeout');
    });

    it('one that took too long is 504, from the platform, and the next is served', async () => {
      const { one } = gateways();
      const labels = { 'dfaas.timeout_ms': '300' };
      await one.deploy({ service: 'late', image: 'probe', labels });
      const answer = await one.call('late?do=wait');
      isSentence(answer, 504, 'late.openfaas-fn');
      expect(answer.headers['x-skein-reason']).toBe('timeout');
      // Also the next has but 300 ms, in which a machine with other work may do nothing.
      await until('the next is served', async () => (await one.call('late')).status === 200);
      await one.remove('late');
    });

    it('DFaaS node ids are refused', async () => {
      const answer = await gateways().one.call('probe', { headers: { 'dfaas-node-id': 'node-2' } });
      isSentence(answer, 403, 'channel');
      expect(answer.headers['x-skein-reason']).toBe('not-a-peer');
    });
  });
};
