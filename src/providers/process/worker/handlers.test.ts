import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventListener, type EventHandler } from './event-handler.ts';
import { fetchListener } from './fetch-handler.ts';
import { FunctionServer } from './server.ts';

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

let folder: string;
let socketPath: string;
let server: FunctionServer;
const logged = vi.spyOn(console, 'error').mockImplementation(() => {});

beforeEach(async () => {
  logged.mockClear();
  folder = await mkdtemp(join(tmpdir(), 'skein-h-'));
  socketPath = join(folder, 's');
  server = new FunctionServer();
  await server.listen(socketPath);
});

afterEach(async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.drain(resolve);
  await promise;
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const call = async (options: RequestOptions = {}, body?: string | Buffer): Promise<Answer> => {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const method = body === undefined ? 'GET' : 'POST';
  const sent = request({ socketPath, method, agent: false, ...options }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    answer.on('error', reject);
  });
  sent.on('error', reject).end(body);
  return promise;
};

const post = (type: string, body: string | Buffer): Promise<Answer> =>
  call({ headers: { 'content-type': type } }, body);

describe('a handler (event, context)', () => {
  const serve = (handler: EventHandler): void => server.serve(eventListener(handler));
  const echoBody = (): void => serve((event) => ({ body: event.body }));

  it('gets method, path, query and headers', async () => {
    serve(({ method, path, query, headers }) => ({ method, path, query, from: headers['x-from'] }));
    const { text } = await call({ method: 'DELETE', path: '/a/b?x=1&y=2&y=3', headers: { 'X-From': 'me' } });
    expect(JSON.parse(text)).toEqual({ method: 'DELETE', path: '/a/b', query: { x: '1', y: ['2', '3'] }, from: 'me' });
  });

  it.each([
    ['application/json', '{"a":1}', { a: 1 }],
    ['application/json; charset=utf-8', '[1]', [1]],
    ['application/json', '', {}],
    ['application/x-www-form-urlencoded', 'a=1&b=x+y', { a: '1', b: 'x y' }],
    ['application/x-www-form-urlencoded', 'Hello', 'Hello'],
    ['text/plain', 'Grüße', 'Grüße'],
    ['application/xml', '<a/>', '<a/>'],
  ])('gets a body of type %s parsed', async (type, body, expected) => {
    echoBody();
    expect(JSON.parse((await post(type, body)).text)).toEqual({ body: expected });
  });

  it('gets a body without a type as text, and none as an empty object', async () => {
    echoBody();
    expect(JSON.parse((await call({}, 'plain')).text)).toEqual({ body: 'plain' });
    expect(JSON.parse((await call()).text)).toEqual({ body: {} });
  });

  it('gets bytes when RAW_BODY is true', async () => {
    vi.stubEnv('RAW_BODY', 'true');
    serve((event) => event.body);
    const { headers, text } = await post('application/json', '{"a"');
    expect(text).toBe('{"a"');
    expect(headers['content-type']).toBe('application/octet-stream');
  });

  it('is not called with what is not JSON', async () => {
    const handler = vi.fn<EventHandler>(() => 'called');
    serve(handler);
    expect(await post('application/json', '{"a"')).toMatchObject({ status: 400 });
    expect(handler).not.toHaveBeenCalled();
  });

  it('is not called with a body past the limit', async () => {
    vi.stubEnv('MAX_RAW_SIZE', '1kb');
    const handler = vi.fn<EventHandler>(() => 'called');
    serve(handler);
    expect(await post('text/plain', 'x'.repeat(1024))).toMatchObject({ status: 200 });
    expect(await post('text/plain', 'x'.repeat(1025))).toMatchObject({ status: 413 });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  const ways: readonly (readonly [string, EventHandler])[] = [
    ['its value', () => 'done'],
    ['a promise', async () => 'done'],
    ['context.succeed', (_, context) => context.succeed('done')],
    ['context.succeed, later', (_, context) => void setTimeout(() => context.succeed('done'), 5)],
    ['context.done', (_, context) => context.done(undefined, 'done')],
    ['the callback', (_, _context, callback) => callback(null, 'done')],
    ['context in an async handler', async (_, context) => context.status(200).headers({}).succeed('done')],
    ['the first of several', (_, context) => (context.succeed('done'), context.succeed('again'), 'and again')],
  ];
  it.each(ways)('answers by %s', async (_, handler) => {
    serve(handler);
    expect(await call()).toMatchObject({ status: 200, text: 'done' });
  });

  it.each([
    ['text', 'hi', 'text/plain; charset=utf-8', 'hi'],
    ['objects', { a: 1 }, 'application/json', '{"a":1}'],
    ['arrays', [1, 2], 'application/json', '[1,2]'],
    ['numbers', 7, 'application/json', '7'],
    ['bytes', Buffer.from('raw'), 'application/octet-stream', 'raw'],
    ['nothing', undefined, undefined, ''],
  ])('sends %s', async (_, value, type, text) => {
    serve(async () => value);
    const answer = await call();
    expect(answer.text).toBe(text);
    expect(answer.headers['content-type']).toBe(type);
  });

  it('sets status and headers', async () => {
    serve((_, context) => {
      context.status(201).headers({ 'Content-Type': 'text/html', 'X-Many': ['a', 'b'], 'X-Count': 3 });
      return [context.status(), Object.keys(context.headers()).length].join(' ');
    });
    const { status, headers, text } = await call();
    expect({ status, text }).toEqual({ status: 201, text: '201 3' });
    expect(headers).toMatchObject({ 'content-type': 'text/html', 'x-many': 'a, b', 'x-count': '3' });
  });

  const faults: readonly (readonly [string, number, EventHandler])[] = [
    [
      'throws',
      500,
      () => {
        throw new Error('oh no');
      },
    ],
    ['rejects', 500, () => Promise.reject(new Error('oh no'))],
    ['fails', 500, (_, context) => context.fail(new Error('oh no'))],
    ['fails with a status', 418, (_, context) => context.status(418).fail('oh no')],
    ['calls back an error', 500, (_, _context, callback) => callback('oh no')],
    ['sets a header that cannot be sent', 500, (_, context) => context.headers({ a: 'oh\nno' }).succeed('')],
  ];
  it.each(faults)('that %s is answered with %i, and logged', async (_, status, handler) => {
    serve(handler);
    const answer = await call();
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/oh no|Invalid character/);
    expect(answer.text).not.toContain('handlers.test');
    expect(logged).toHaveBeenCalled();
    serve(() => 'alive');
    expect((await call()).text).toBe('alive');
  });
});

describe('a handler (request) => Response', () => {
  const serve = (handler: (request: Request) => unknown, style: 'auto' | 'fetch' = 'fetch'): void =>
    server.serve(fetchListener(handler, style));

  it('gets the request and answers with a response', async () => {
    serve(async (asked) => {
      const headers = new Headers({
        'x-url': asked.url,
        'x-method': asked.method,
        'x-saw': asked.headers.get('x-a') ?? '',
      });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return new Response(`got ${await asked.text()}`, { status: 202, headers });
    });
    const answer = await call({ path: '/p?q=1', headers: { host: 'fn.example', 'x-a': '1' } }, 'body');
    expect(answer).toMatchObject({ status: 202, text: 'got body' });
    expect(answer.headers).toMatchObject({
      'x-url': 'http://fn.example/p?q=1',
      'x-method': 'POST',
      'x-saw': '1',
      'set-cookie': ['a=1', 'b=2'],
    });
  });

  it('streams both ways', async () => {
    serve((asked) => new Response(asked.body?.pipeThrough(new TransformStream())));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const received: string[] = [];
    const sent = request({ socketPath, method: 'POST', agent: false }, (answer) => {
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        received.push(chunk);
        // The second half is sent only after the first came back.
        if (received.length === 1) sent.end('two');
      });
      answer.on('end', () => resolve(received.join('')));
    });
    sent.on('error', reject).write('one');
    expect(await promise).toBe('onetwo');
  });

  it('sends headers before there is a body', async () => {
    const body = Promise.withResolvers<string>();
    serve(
      () =>
        new Response(
          new ReadableStream({ start: async (c) => (c.enqueue(Buffer.from(await body.promise)), c.close()) }),
        ),
    );
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    request({ socketPath, agent: false }, (answer) => {
      body.resolve('late');
      answer.setEncoding('utf8').on('data', resolve);
    })
      .on('error', reject)
      .end();
    expect(await promise).toBe('late');
  });

  it('learns when its caller leaves', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    serve(async (asked) => {
      asked.signal.addEventListener('abort', () => resolve('aborted'));
      started.resolve();
      await promise;
      return new Response();
    });
    const sent = request({ socketPath, agent: false }).on('error', () => {});
    sent.end();
    await started.promise;
    sent.destroy();
    expect(await promise).toBe('aborted');
  });

  it('may answer one who left, with a body that is not asked for any more', async () => {
    const started = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<string>();
    serve(async (asked) => {
      const left = new Promise((resolve) => asked.signal.addEventListener('abort', resolve));
      started.resolve();
      await left;
      const pull = (controller: ReadableStreamDefaultController): void => controller.enqueue(Buffer.from('more'));
      return new Response(new ReadableStream({ pull, cancel: () => cancelled.resolve('cancelled') }));
    });
    const sent = request({ socketPath, agent: false }).on('error', () => {});
    sent.end();
    await started.promise;
    sent.destroy();
    expect(await cancelled.promise).toBe('cancelled');
  });

  it('may leave a large body unread', async () => {
    serve(() => new Response('enough'));
    expect((await call({}, 'x'.repeat(1_000_000))).text).toBe('enough');
  });

  it.each(['HEAD', 'GET', 'OPTIONS', 'PATCH'])('takes %s', async (method) => {
    serve((asked) => new Response(null, { headers: { 'x-method': asked.method } }));
    expect((await call({ method })).headers['x-method']).toBe(method);
  });

  it('that throws, or answers no Response, is answered with 500', async () => {
    serve(() => {
      throw new Error('oh no');
    });
    expect(await call()).toMatchObject({ status: 500, text: 'the function failed: Error: oh no\n' });
    serve(() => ({ statusCode: 200 }));
    expect((await call()).text).toContain('set "handler": "event"');
  });

  it('may return a plain value where the style is a guess', async () => {
    serve(() => ({ plain: true }), 'auto');
    expect(await call()).toMatchObject({ status: 200, text: '{"plain":true}' });
    serve(() => undefined, 'auto');
    expect(await call()).toMatchObject({ status: 500 });
  });
});

describe('a verb', () => {
  it.each(['TRACE', 'PURGE', 'PROPFIND', 'OPTIONS'])('%s reaches a handler (event, context)', async (method) => {
    server.serve(eventListener((event) => event.method));
    expect(await call({ method })).toMatchObject({ status: 200, text: method });
  });

  it.each(['PURGE', 'PROPFIND', 'OPTIONS'])('%s reaches a handler (request)', async (method) => {
    server.serve(fetchListener((asked) => new Response(asked.method), 'fetch'));
    expect(await call({ method })).toMatchObject({ status: 200, text: method });
  });

  it('that no Request may have is a 501 that says so', async () => {
    server.serve(fetchListener(() => new Response('ran'), 'fetch'));
    const answer = await call({ method: 'TRACE' });
    expect(answer).toMatchObject({ status: 501, text: expect.stringContaining('TRACE') });
    expect(answer.headers['x-openfaas-internal']).toBe('skein');
  });

  it('that Node.js does not know is a 501 that says so', async () => {
    server.serve(fetchListener(() => new Response('ran'), 'fetch'));
    const socket = connect(socketPath);
    socket.end('FROBNICATE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk as string;
    expect(text).toMatch(/^HTTP\/1\.1 501 [^]*\r\nX-OpenFaaS-Internal: skein\r\n[^]*knows no verb/);
  });
});

it('finishes what runs and closes kept connections when it drains', async () => {
  const answered = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  server.serve((_, response) => {
    started.resolve();
    void answered.promise.then(() => response.end('finished'));
  });
  const call1 = call({ headers: { connection: 'keep-alive' } });
  await started.promise;
  const drained = Promise.withResolvers<void>();
  const draining = server;
  draining.drain(drained.resolve);
  answered.resolve();
  expect((await call1).text).toBe('finished');
  await drained.promise;
  server = new FunctionServer();
  await server.listen(socketPath);
});
