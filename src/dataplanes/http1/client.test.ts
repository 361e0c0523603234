import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../std/clock.ts';
import { read } from '../calls.testing.ts';
import { Http1Client, type ClientLimits } from './client.ts';
import type { ClientEvents, ClientExchange, ClientRequest } from './client-exchange.ts';
import { dialTo } from './dial.ts';
import { Served } from './served.testing.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const limits: ClientLimits = {
  maxHeadBytes: 4_096,
  maxHeaders: 40,
  maxConnections: 10,
  maxWaiting: 3,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 60_000,
};

const listening = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
};

/** A server that need not speak HTTP; `count` connections came. */
const raw = async (speak: (socket: Socket, index: number) => void) => {
  const seen = { count: 0, port: 0 };
  const server = createServer((socket) => {
    ends.push(() => socket.destroy());
    socket.on('error', () => undefined);
    speak(socket, seen.count++);
  });
  seen.port = await listening(server);
  return seen;
};

const real = async (listener: RequestListener): Promise<{ readonly port: number; readonly server: Server }> => {
  const server = createHttpServer(listener);
  ends.push(() => server.closeAllConnections());
  return { port: await listening(server), server };
};

const clientFor = (port: number, changes: Partial<ClientLimits> = {}) => {
  const clock = new ManualClock();
  const client = new Http1Client(dialTo({ kind: 'tcp', host: '127.0.0.1', port }), { ...limits, ...changes }, clock);
  ends.push(() => client.destroy());
  return { client, clock };
};

type Outcome = {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly interim: readonly number[];
  readonly error: Error | undefined;
  readonly sent: boolean;
};

const asked: ClientRequest = { method: 'GET', target: '/', headers: ['Host', 'x'], body: { kind: 'none' } };

/** One request, to its end or its failure. */
const ask = (
  client: Http1Client,
  request: Partial<ClientRequest> = {},
  more: Partial<ClientEvents> = {},
): Promise<Outcome> & { readonly exchange: ClientExchange } => {
  let status = 0;
  let headers: readonly string[] = [];
  const parts: Buffer[] = [];
  const interim: number[] = [];
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const done = (error: Error | undefined, sent: boolean): void =>
    resolve({ status, headers, body: Buffer.concat(parts).toString('latin1'), interim, error, sent });
  const exchange = client.request(
    { ...asked, ...request },
    {
      head: (given, raw) => {
        status = given;
        headers = raw;
      },
      data: (chunk) => parts.push(chunk) > 0,
      end: () => done(undefined, true),
      fail: done,
      ...more,
      interim: (given) => {
        interim.push(given);
        more.interim?.(given);
      },
    },
  );
  return Object.assign(promise, { exchange });
};

describe('a client', () => {
  it('tells all that wait when nobody listens, however many more than connections', async () => {
    const { port, server } = await real((_, response) => response.end());
    server.close();
    await once(server, 'close');
    const { client } = clientFor(port, { maxConnections: 2, maxWaiting: 50 });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => ask(client)));
    expect(outcomes.every(({ error, sent }) => error !== undefined && !sent)).toBe(true);
  });

  it('uses one connection for requests that come one after the other', async () => {
    const { port } = await real((request, response) => response.end(`${request.socket.remotePort} ${request.url}`));
    const { client } = clientFor(port);
    const first = await ask(client, { target: '/1' });
    const second = await ask(client, { target: '/2' });
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body.replace('/1', '/2')]);
  });

  it('sends what it is given: method, target, headers, a body here, and Host where none is', async () => {
    const { port } = await real((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (chunk: Buffer) => parts.push(chunk));
      request.on('end', () =>
        response.end(
          JSON.stringify([request.method, request.url, request.rawHeaders, Buffer.concat(parts).toString()]),
        ),
      );
    });
    const { client } = clientFor(port);
    const headers = [
      'X-A',
      '1',
      'x-a',
      'caf\xe9',
      'Content-Length',
      '99',
      'Transfer-Encoding',
      'chunked',
      'Connection',
      'close',
    ];
    const sent = async (request: Partial<ClientRequest>) =>
      JSON.parse(Buffer.from((await ask(client, request)).body, 'latin1').toString()) as unknown;
    expect(
      await sent({ method: 'PUT', target: '/a?b', headers, body: { kind: 'bytes', bytes: Buffer.from('hi') } }),
    ).toEqual(['PUT', '/a?b', ['X-A', '1', 'x-a', 'caf\xe9', 'Host', 'localhost', 'Content-Length', '2'], 'hi']);
    expect(await sent({ method: 'POST' })).toEqual(['POST', '/', ['Host', 'x', 'Content-Length', '0'], '']);
    expect(await sent({ method: 'DELETE' })).toEqual(['DELETE', '/', ['Host', 'x'], '']);
    const long = 'x'.repeat(100_000);
    expect(await sent({ method: 'POST', body: { kind: 'bytes', bytes: Buffer.from(long) } })).toMatchObject({
      3: long,
    });
  });

  it('streams a body out of one connection into another and back, with and without a length', async () => {
    const behind = await real((request, response) => request.pipe(response));
    const { client } = clientFor(behind.port);
    const hop = await Served.start((request, response) => {
      const { framing } = request.head;
      const length = framing.kind === 'length' ? framing.length : undefined;
      client.request(
        { ...asked, method: request.method, body: { kind: 'stream', source: request, length } },
        {
          head: (status, headers) => void response.writeHead(status, headers),
          data: (chunk, resume) => {
            if (response.write(chunk)) return true;
            response.once('drain', resume);
            return false;
          },
          end: () => void response.end(),
          fail: () => response.destroy(),
        },
      );
    });
    ends.push(() => hop.server.close());
    for (const length of [0, 10, 100_000, 5_000_000]) {
      for (const chunked of [true, false]) {
        const body = randomBytes(length);
        const answer = await fetch(`http://127.0.0.1:${hop.port}/`, {
          method: 'POST',
          body: chunked ? new Blob([body]).stream() : body,
          duplex: 'half',
        });
        expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
      }
    }
  });

  it.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n', 'hello'],
    ['HTTP/1.1 200 OK\r\n\r\nhello', 'hello'],
    ['HTTP/1.1 204 No Content\r\n\r\n', ''],
    [
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      '',
    ],
  ])('understands %j, however it is cut', async (text, body) => {
    for (const step of [1, 7, text.length]) {
      const { port } = await raw((socket) => {
        socket.setNoDelay(true);
        let at = 0;
        const next = (): void => {
          if (at >= text.length) return void socket.end();
          socket.write(text.slice(at, at + step), () => setImmediate(next));
          at += step;
        };
        socket.once('data', next);
      });
      const outcome = await ask(clientFor(port).client);
      expect(outcome).toMatchObject({ body, error: undefined, interim: text.includes('102') ? [102, 103] : [] });
    }
  });

  it.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
    ['no HTTP', 'SMTP 220 hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(4_000)}\r\n`],
    ['interim answers only', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ])('fails, as sent, where %s comes back', async (_name, text) => {
    const server = await raw((socket) => socket.once('data', () => socket.end(text)));
    const { client } = clientFor(server.port);
    expect(await ask(client)).toMatchObject({ error: expect.any(Error) as Error, sent: true });
    await ask(client);
    expect(server.count).toBe(2);
  });

  it.each([
    [
      'a second answer',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    ],
    ['a byte too many', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!'],
    ['the wish to close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['little time', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'],
  ])('does not use a connection again after %s', async (_name, text) => {
    const server = await raw((socket) => socket.on('data', () => socket.write(text)));
    const { client } = clientFor(server.port);
    expect(await ask(client)).toMatchObject({ body: 'ok', error: undefined });
    expect(await ask(client)).toMatchObject({ body: 'ok', error: undefined });
    expect(server.count).toBe(2);
  });

  it.each([
    ['closed', (socket: Socket) => void socket.end()],
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['spoken on unasked', (socket: Socket) => void socket.write('HTTP/1.1 408 Request Timeout\r\n\r\n')],
  ])('leaves a kept connection that was %s', async (_name, end) => {
    const sockets: Socket[] = [];
    const server = await raw((socket) => {
      sockets.push(socket);
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
    const { client } = clientFor(server.port);
    await ask(client);
    const closed = once(sockets[0] as Socket, 'close');
    end(sockets[0] as Socket);
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    expect(await ask(client)).toMatchObject({ body: 'ok' });
    expect(server.count).toBe(2);
  });

  it('fails, as sent, where a kept connection is closed just when a request is put on it', async () => {
    const server = await raw((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        socket.once('data', () => socket.resetAndDestroy());
      });
    });
    const { client } = clientFor(server.port);
    await ask(client);
    expect(await ask(client)).toMatchObject({ status: 0, error: expect.any(Error) as Error, sent: true });
  });

  it('fails, as not sent, where nobody listens, or nothing comes of it in time', async () => {
    // A port that was free a moment ago may be another test's by now; this one is nobody's.
    const port = 1;
    expect(await ask(clientFor(port).client)).toMatchObject({ error: { code: 'ECONNREFUSED' }, sent: false });
    const clock = new ManualClock();
    const dead = new Http1Client(
      () => dialTo({ kind: 'tcp', host: '127.0.0.1', port })(() => undefined),
      limits,
      clock,
    );
    const outcome = ask(dead);
    clock.advance(6_000);
    expect(await outcome).toMatchObject({ error: { code: 'unavailable' }, sent: false });
  });

  it('fails, as sent, what cannot be sent', async () => {
    const { port } = await real((_request, response) => response.end());
    const { client } = clientFor(port);
    for (const request of [{ target: '/a b' }, { method: 'G T' }, { headers: ['a', 'b\nc'] }, { upgrade: 'a\r\nb' }]) {
      expect(await ask(client, request)).toMatchObject({ error: { code: 'invalid' }, sent: true });
    }
    expect(await ask(client)).toMatchObject({ status: 200 });
  });

  it('opens no more connections than it may, and serves those that wait in order', async () => {
    const open: (() => void)[] = [];
    let most = 0;
    const { port } = await real((request, response) => {
      open.push(() => response.end(request.url));
      most = Math.max(most, open.length);
      // The first two wait for each other.
      if (most === 2) for (const answer of open.splice(0)) answer();
    });
    const { client } = clientFor(port, { maxConnections: 2 });
    const order: string[] = [];
    const all = ['/1', '/2', '/3'].map((target) => ask(client, { target }).then(({ body }) => order.push(body)));
    expect(await ask(client)).toMatchObject({ error: { code: 'unavailable' }, sent: false });
    await Promise.all(all);
    expect([order.sort(), most]).toEqual([['/1', '/2', '/3'], 2]);
  });

  it('closes the connection of a request that is given up, and forgets one that waits', async () => {
    const gone: Promise<unknown>[] = [];
    const server = await raw((socket) => gone.push(once(socket.resume(), 'close')));
    const { client } = clientFor(server.port, { maxConnections: 1 });
    const running = ask(client, {}, { sent: () => setImmediate(() => running.exchange.cancel(new Error('enough'))) });
    const waiting = ask(client);
    waiting.exchange.cancel(new Error('never mind'));
    expect(await waiting).toMatchObject({ error: { message: 'never mind' } });
    expect(await running).toMatchObject({ error: { message: 'enough' } });
    await Promise.all(gone);
    running.exchange.cancel(new Error('again'));
  });

  it('sends a body that must wait for leave once it is asked to', async () => {
    const { port, server } = await real((_request, response) => response.end());
    server.on('checkContinue', (request, response) => {
      response.writeContinue();
      request.pipe(response);
    });
    const { client } = clientFor(port);
    const hop = await Served.start((request, response) => {
      const asking = ask(
        client,
        { method: 'POST', body: { kind: 'later', length: 5 } },
        { interim: (status) => void (status === 100 && asking.exchange.send(request)) },
      );
      void asking.then(({ body }) => response.end(Buffer.from(`<${body}>`)));
    });
    ends.push(() => hop.server.close());
    const one = hop.connect().send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello');
    ends.push(() => one.socket.destroy());
    await one.until(/<hello>$/);
  });

  it('takes an answer that comes before the body was sent, and drops the connection', async () => {
    const server = await raw((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno'));
    });
    const { client } = clientFor(server.port);
    for (let round = 0; round < 2; round += 1) {
      expect(await ask(client, { method: 'POST', body: { kind: 'later' } })).toMatchObject({ status: 503, body: 'no' });
    }
    expect(server.count).toBe(2);
  });

  it('never takes what came behind one answer for the answer to the next', async () => {
    const two = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    const server = await raw((socket) => socket.on('data', () => socket.write(two)));
    const { client } = clientFor(server.port, { maxConnections: 1 });
    const bodies = await Promise.all([ask(client), ask(client), ask(client)]);
    expect(bodies.map(({ body }) => body)).toEqual(['ok', 'ok', 'ok']);
  });

  it('waits for a reader that is slower', async () => {
    const size = 60_000_000;
    let written = 0;
    const { port } = await real((_request, response) => {
      response.writeHead(200, { 'content-length': size });
      const more = (): void => {
        while (written < size) {
          written += 100_000;
          if (!response.write(Buffer.alloc(100_000))) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const { client } = clientFor(port);
    let got = 0;
    const { promise: begun, resolve: begin } = Promise.withResolvers<() => void>();
    const asking = ask(
      client,
      {},
      {
        data: (chunk, resume) => {
          got += chunk.length;
          begin(resume);
          return got > chunk.length;
        },
      },
    );
    const resume = await begun;
    let before = -1;
    while (before !== written) {
      before = written;
      await pause(50);
    }
    expect(written).toBeLessThan(size / 2);
    resume();
    await asking;
    expect(got).toBe(size);
  });

  it('keeps unused connections for a while, and lets go of all when it is retired', async () => {
    const gone: Promise<unknown>[] = [];
    const server = await raw((socket) => {
      gone.push(once(socket, 'close'));
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
    const { client, clock } = clientFor(server.port);
    await ask(client);
    clock.advance(50_000);
    await ask(client);
    expect(server.count).toBe(1);
    clock.advance(61_000);
    await gone[0];
    await ask(client);
    client.retire();
    await gone[1];
    expect(await ask(client)).toMatchObject({ body: 'ok' });
    await gone[2];
  });

  it('fails what runs and what waits when it is destroyed', async () => {
    const server = await raw(() => undefined);
    const { client } = clientFor(server.port, { maxConnections: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = ask(client, {}, { sent: resolve });
    const waiting = ask(client);
    await promise;
    client.destroy();
    expect([(await running).sent, (await waiting).sent]).toEqual([true, false]);
  });

  it('changes to another protocol where both sides want to', async () => {
    const { port, server } = await real(() => undefined);
    server.on('upgrade', (_request, socket: Duplex) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst');
      socket.pipe(socket);
    });
    const { client } = clientFor(port);
    const { promise, resolve } = Promise.withResolvers<Duplex>();
    void ask(client, { upgrade: 'echo' }, { upgraded: (_headers, socket) => resolve(socket) });
    const socket = await promise;
    ends.push(() => socket.destroy());
    socket.resume();
    expect(await read(socket, 5)).toBe('first');
    socket.write('second');
    expect(await read(socket, 6)).toBe('second');
  });
});
