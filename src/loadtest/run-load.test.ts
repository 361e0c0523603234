import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock, systemClock } from '../std/clock.ts';
import { runLoad, type LoadProgress } from './run-load.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
};

/** With time to answer also where other work takes the machine's. */
const load: typeof runLoad = (options, needs) => runLoad({ timeoutMs: 60_000, ...options }, needs);

const ok: RequestListener = (_, response) => {
  response.end('ok');
};

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

describe('the open loop', () => {
  test('sends as many requests as the rate and the duration ask for', async () => {
    let seen = 0;
    const target = await serve((request, response) => {
      seen++;
      ok(request, response);
    });
    const result = await load({ target, rate: 100, durationMs: 1500 });
    expect(result).toMatchObject({
      target,
      rate: 100,
      sent: 150,
      succeeded: 150,
      failed: 0,
      unsent: 0,
      successRatio: 1,
    });
    expect(result.statuses).toEqual({ 200: 150 });
    expect(result.perSecond).toEqual([
      { second: 0, sent: 100, succeeded: 100, failed: 0, unsent: 0 },
      { second: 1, sent: 50, succeeded: 50, failed: 0, unsent: 0 },
    ]);
    expect(result.durationSeconds).toBeGreaterThanOrEqual(1.5);
    // Both are rounded: the seconds to a thousandth.
    expect(result.achievedRate).toBeCloseTo(150 / result.durationSeconds, 1);
    expect(seen).toBe(150);
  });

  test('goes on sending while the server stalls, and charges the stall to everything that was due meanwhile', async () => {
    const stallMs = 1000;
    let waiting: ServerResponse[] | undefined = [];
    const target = await serve((_, response) => {
      if (waiting === undefined) return void response.end();
      waiting.push(response);
      if (waiting.length === 1) {
        setTimeout(() => {
          for (const held of waiting ?? []) held.end();
          waiting = undefined;
        }, stallMs);
      }
    });
    const result = await load({ target, rate: 50, durationMs: 2000 });
    expect(result).toMatchObject({ sent: 100, succeeded: 100 });
    // About half of all requests fell into the stall and waited for what was left of it.
    expect(result.latencyMs.p99).toBeGreaterThan(stallMs * 0.85);
    expect(result.latencyMs.mean).toBeGreaterThan(stallMs * 0.15);
  });

  test('counts what was due while every connection was taken as unsent', async () => {
    const target = await serve(() => {});
    const result = await load({ target, rate: 100, durationMs: 1000, connections: 10, timeoutMs: 2000 });
    expect(result).toMatchObject({ sent: 10, unsent: 90, failed: 10, successRatio: 0, errors: { timeout: 10 } });
  });

  test('sends late what found no connection for a moment only', async () => {
    const clock = new ManualClock();
    let arrived = Promise.withResolvers<ServerResponse>();
    const target = await serve((_, response) => arrived.resolve(response));
    const ended = load({ target, rate: 20, durationMs: 250, connections: 1 }, { clock });
    for (let request = 0; request < 5; request++) {
      const response = await arrived.promise;
      arrived = Promise.withResolvers();
      clock.advance(80);
      response.end();
    }
    const result = await ended;
    expect(result).toMatchObject({ sent: 5, succeeded: 5, unsent: 0 });
    // The fifth was due at 200 ms and ended at 400 ms: what it waited for the connection counts.
    expect(result.latencyMs.max).toBeCloseTo(200, 0);
  });

  test('stops when told to, and the sums still hold', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let seen = 0;
    const target = await serve((request, response) => {
      if (++seen === 20) stop.abort();
      ok(request, response);
    });
    const ended = load({ target, rate: 100, durationMs: 60_000 }, { clock, signal: stop.signal });
    clock.advance(250);
    const result = await ended;
    expect(result.sent).toBeGreaterThanOrEqual(20);
    expect(result).toMatchObject({ succeeded: result.sent, durationSeconds: 0.25 });
  });
});

describe('the closed loop', () => {
  test('keeps every connection busy, and no more, until its time is over', async () => {
    const clock = new ManualClock();
    let atOnce = 0;
    let most = 0;
    let seen = 0;
    const target = await serve((_, response) => {
      most = Math.max(most, ++atOnce);
      if (++seen === 100) clock.advance(500);
      setTimeout(() => {
        atOnce--;
        response.end();
      }, 10);
    });
    const result = await load({ target, rate: 'max', durationMs: 500, connections: 4 }, { clock });
    expect(most).toBe(4);
    expect(result.sent).toBeGreaterThanOrEqual(100);
    expect(result).toMatchObject({ rate: 'max', unsent: 0, failed: 0, successRatio: 1 });
  });

  test('does not choke on a server that refuses', async () => {
    // A port that was free a moment ago may be another test's by now; this one is nobody's.
    const target = 'http://127.0.0.1:1/';
    const stop = new AbortController();
    const clock = { ...systemClock, every: (_: number, look: () => void) => systemClock.every(10, look) };
    const onProgress = ({ sent }: LoadProgress): void => {
      if (sent > 2) stop.abort();
    };
    const options = { target, rate: 'max', durationMs: 60_000, connections: 2 } as const;
    const result = await load(options, { clock, signal: stop.signal, onProgress });
    expect(result.sent).toBeGreaterThan(2);
    expect(result.errors).toEqual({ refused: result.sent });
  });
});

describe('what is counted', () => {
  test('answers by status, reason and node', async () => {
    let calls = 0;
    const target = await serve((_, response) => {
      const turn = calls++ % 4;
      if (turn === 0) response.writeHead(503, { 'X-Skein-Node': 'node-1', 'X-Skein-Reason': 'full' });
      else if (turn === 1) response.writeHead(302, { location: '/elsewhere', 'X-Skein-Node': 'node-2' });
      else response.writeHead(200, { 'X-Skein-Node': 'node-3' });
      response.end();
    });
    const result = await load({ target, rate: 200, durationMs: 200 });
    expect(result).toMatchObject({ sent: 40, succeeded: 30, failed: 10, successRatio: 0.75 });
    expect(result.statuses).toEqual({ 200: 20, 302: 10, 503: 10 });
    expect(result.reasons).toEqual({ full: 10 });
    expect(Object.entries(result.nodes).map(([name, node]) => [name, node.served])).toEqual([
      ['node-2', 10],
      ['node-3', 20],
    ]);
    expect(result.errors).toEqual({});
  });

  test('a server that hangs up in the middle of an answer', async () => {
    const target = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => response.destroy());
    });
    const result = await load({ target, rate: 50, durationMs: 200 });
    expect(result).toMatchObject({ sent: 10, succeeded: 0, failed: 10, errors: { closed: 10 }, statuses: {} });
  });

  test('a server that never answers', async () => {
    const target = await serve(() => {});
    const result = await load({ target, rate: 50, durationMs: 100, timeoutMs: 100 });
    expect(result).toMatchObject({ sent: 5, failed: 5, errors: { timeout: 5 } });
  });

  test('an answer whose body never ends', async () => {
    const target = await serve((_, response) => void response.writeHead(200).write('…'));
    const result = await load({ target, rate: 50, durationMs: 100, timeoutMs: 100 });
    expect(result).toMatchObject({ failed: 5, errors: { timeout: 5 } });
  });

  test('a server that speaks something else', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.end('SSH-2.0-OpenSSH\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const result = await load({ target, rate: 50, durationMs: 100 });
    server.close();
    expect(result).toMatchObject({ failed: 5, errors: { malformed: 5 } });
  });
});

test('sends method, headers, body and the path with its query as they were given', async () => {
  const seen: unknown[] = [];
  const target = await serve((request, response) => {
    void read(request).then((text) => {
      seen.push([request.method, request.url, request.headers['x-a'], request.headers.host, text]);
      response.end();
    });
  });
  const headers = [['X-A', 'one'] as const, ['Host', 'example.org'] as const];
  await load({ target: `${target}a/b?sleep=50`, rate: 10, durationMs: 100, headers, body: Buffer.from('hello') });
  await load({ target, rate: 10, durationMs: 100, method: 'DELETE' });
  expect(seen).toEqual([
    ['POST', '/a/b?sleep=50', 'one', 'example.org', 'hello'],
    ['DELETE', '/', undefined, new URL(target).host, ''],
  ]);
});

test('reports its progress every second', async () => {
  const target = await serve(ok);
  const seen: number[] = [];
  await load({ target, rate: 20, durationMs: 1500 }, { onProgress: ({ sent }) => seen.push(sent) });
  expect(seen.length).toBeGreaterThanOrEqual(1);
  expect(seen[0]).toBeGreaterThan(0);
});
