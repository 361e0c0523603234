import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, type Answered, type Asked, type Gateways } from './gateway.ts';
import type { Seen } from './invoke.cases.ts';

type Callback = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** Where callbacks go. */
class Receiver {
  readonly #server: Server;
  readonly #got: Callback[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        this.#got.push({ method, url, headers, body });
        response.end();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What came for a call whose callback address ends with `token`. */
  of(token: string): Promise<Callback> {
    return until(`the callback ${token}`, () => this.#got.find(({ url }) => url === `/done?token=${token}`));
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

export const asyncCases = (gateways: () => Gateways): void => {
  let receiver: Receiver;

  const later = (path: string, asked: Asked = {}): Promise<Answered> =>
    gateways().one.ask('POST', `/async-function/${path}`, asked);
  let tokens = 0;
  /** Makes a call later and waits for its callback. */
  const calledBack = async (path: string, asked: Asked = {}): Promise<Callback> => {
    tokens += 1;
    const headers = { ...asked.headers, 'x-callback-url': `${receiver.url}/done?token=${tokens}` };
    const answer = await later(path, { ...asked, headers });
    expect([answer.status, answer.text]).toEqual([202, '']);
    return receiver.of(String(tokens));
  };

  describe('§5 asynchronous calls', () => {
    beforeAll(async () => {
      receiver = await Receiver.start();
    });

    afterAll(() => receiver?.stop());

    it('are 202 at once, with an empty body, an id and the time', async () => {
      const answer = await later('probe', { body: 'x' });
      expect([answer.status, answer.text]).toEqual([202, '']);
      expect(answer.headers['x-call-id']).toMatch(/^[-0-9a-f]{36}$/);
      expect(answer.headers['x-start-time']).toMatch(/^\d{19}$/);
    });

    it('keep the id that a caller chose, for the function and the callback', async () => {
      const headers = { 'x-call-id': 'chosen' };
      expect((await later('probe', { headers })).headers['x-call-id']).toBe('chosen');
      const callback = await calledBack('probe', { headers });
      expect(callback.headers['x-call-id']).toBe('chosen');
      expect((JSON.parse(callback.body) as Seen).headers['x-call-id']).toBe('chosen');
    });

    it.each([
      ['probe', '/'],
      ['probe/', '/'],
      ['probe/some%2Fpath/x?a=%20&b', '/some%2Fpath/x?a=%20&b'],
      ['probe?a=1', '/?a=1'],
      ['probe.openfaas-fn/x', '/x'],
    ])('/async-function/%s is made as POST %s, with headers and body', async (path, url) => {
      const headers = { 'x-own': 'Kept', 'content-type': 'text/csv' };
      const { body } = await calledBack(path, { headers, body: 'payload' });
      const seen = JSON.parse(body) as Seen;
      expect(seen).toMatchObject({ method: 'POST', url });
      expect(Buffer.from(seen.body, 'base64').toString()).toBe('payload');
      expect(seen.headers).toMatchObject({ 'x-own': 'Kept', 'content-type': 'text/csv' });
    });

    it("post the function's answer back, with its headers and the four of OpenFaaS", async () => {
      const { method, headers, body } = await calledBack('probe?do=headers');
      expect([method, body]).toEqual(['POST', 'ok']);
      expect(headers).toMatchObject({
        'content-type': 'application/vnd.probe',
        'x-custom': 'Kept',
        'x-call-id': expect.stringMatching(/^[-0-9a-f]{36}$/),
        'x-function-name': 'probe',
        'x-function-status': '200',
        'x-duration-seconds': expect.stringMatching(/^\d+\.\d{6}$/),
      });
    });

    it.each([404, 500])('post a %d of the function back as it is', async (status) => {
      const { headers, body } = await calledBack(`probe?do=status&status=${status}`);
      expect([headers['x-function-status'], body]).toEqual([String(status), 'as asked']);
    });

    it.each([':1', 'ftp://example.org/x', 'nothing', 'http://'])('are 400 for the callback address %s', async (url) => {
      isSentence(await later('probe', { headers: { 'x-callback-url': url } }), 400, 'X-Callback-Url');
    });

    it('are 404 for a function that is not there', async () => {
      isSentence(await later('nobody'), 404, 'nobody');
    });

    it('are 413 when they are longer than a queued call may be', async () => {
      const answer = await later('probe', { body: Buffer.alloc(9 * 1024 * 1024) });
      isSentence(answer, 413, 'longer');
    });

    it('can be cancelled while they wait, not while they run', async () => {
      const { one } = gateways();
      const labels = { 'skein.async.concurrency': '1' };
      await one.deploy({ service: 'busy', image: 'probe', labels });
      const stream = new URLSearchParams({ do: 'stream', type: 'text/plain', first: 'a', second: 'b', key: 'busy' });
      expect((await later(`busy?${stream.toString()}`, { headers: { 'x-call-id': 'runs' } })).status).toBe(202);
      const cancel = (id: string) => one.ask('DELETE', `/async-function/${id}`);
      await until('the first runs', async () => {
        const queues = (await one.ask('GET', '/system/queue')).json<
          { function: string; calls: { running: number } }[]
        >();
        return queues.some((queue) => queue.function === 'busy.openfaas-fn' && queue.calls.running === 1);
      });
      expect((await later('busy', { headers: { 'x-call-id': 'waits' } })).status).toBe(202);
      const cancelled = await cancel('waits');
      expect([cancelled.status, cancelled.text]).toEqual([202, '']);
      isSentence(await cancel('waits'), 404, 'no call of that id');
      isSentence(await cancel('runs'), 409, 'runs already');
      await until('the first ends', async () => {
        await one.call('busy?do=release&key=busy');
        return (await cancel('runs')).status === 404;
      });
      await one.remove('busy');
    });
  });
};
