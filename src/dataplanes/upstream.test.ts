import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, times } from './calls.testing.ts';
import type { Http1Incoming } from './http1/incoming.ts';
import { Served, type Wire } from './http1/served.testing.ts';
import { Upstream } from './upstream.ts';

type Passing = {
  readonly served: Served;
  readonly agent: Server;
  /** Those that were passed on, or are to be. */
  readonly requests: readonly Http1Incoming[];
};

describe('the way to the agent', () => {
  let folder = '';
  const ends: (() => unknown)[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skein-upstream-'));
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await rm(folder, { recursive: true, force: true });
  });

  /** An agent, and a listener that passes all on to it; their time stands still until it is told to go on. */
  const passing = async (listener: RequestListener): Promise<Passing> => {
    const path = join(folder, 'agent.sock');
    const agent = createServer(listener);
    agent.listen(path);
    await once(agent, 'listening');
    ends.push(
      () => agent.close(),
      () => agent.closeAllConnections(),
    );
    const requests: Http1Incoming[] = [];
    // Made by the first request, when there is a clock.
    let upstream: Upstream | undefined;
    const served: Served = await Served.start(
      (request, response) => {
        upstream ??= new Upstream(path, served.clock, () => 'north');
        upstream.pass(request, response, []);
        requests.push(request);
      },
      { maxConnections: 400 },
    );
    ends.push(
      () => upstream?.close(),
      () => served.server.close(),
    );
    return { served, agent, requests };
  };
  const wire = (served: Served): Wire => {
    const made = served.connect();
    ends.push(() => made.socket.destroy());
    return made;
  };
  const post = (length: number): string =>
    `POST /system/functions HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
  const get = 'GET /system/info HTTP/1.1\r\nHost: x\r\n\r\n';
  const reading: RequestListener = (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => response.end(`<${Buffer.concat(parts).toString()}>`));
  };

  it('is not taken by a short body that is slow to come', async () => {
    const seen: IncomingMessage[] = [];
    const { served, agent, requests } = await passing((request, response) => {
      seen.push(request);
      reading(request, response);
    });
    let connections = 0;
    agent.on('connection', () => (connections += 1));
    const slow = wire(served).send(`${post(10)}half`);
    await eventually(() => requests.length === 1, 'its head is read');
    await wire(served).send(get).until(/<>$/);
    expect([connections, seen.map(({ method }) => method)]).toEqual([1, ['GET']]);
    slow.send(' whole');
    await slow.until(/<half whole>$/);
    expect(connections).toBe(1);
  });

  it.each([
    ['a short body', 10],
    ['a long body', 1_000_000],
  ])('gives %s that falls silent 60 seconds, then answers 408', async (name, length) => {
    let there = 0;
    const { served, requests } = await passing((request, response) => {
      request.on('data', (part: Buffer) => (there += part.length));
      reading(request, response);
    });
    const head = post(length);
    /** A short body is kept here, a long one goes on as it comes. */
    const heard = (bytes: number): Promise<void> =>
      eventually(
        () => (name === 'a long body' ? there : (requests[0]?.socket.bytesRead ?? 0) - head.length) === bytes,
        `${bytes} bytes are read`,
      );
    const one = wire(served).send(`${head}some`);
    await heard(4);
    served.clock.advance(50_000);
    one.send('more');
    await heard(8);
    served.clock.advance(55_000);
    await wire(served).send(get).until(/<>$/);
    expect(one.got).toBe('');
    served.clock.advance(10_000);
    expect(await one.closed()).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close\r\n[^]*60 seconds\.\n$/);
  });

  it('is waited for no longer than 15 seconds where all connections are in use', async () => {
    const held: (() => void)[] = [];
    const { served, requests } = await passing((_request, response) => void held.push(() => response.end('late')));
    const holders = times(256, () => wire(served).send(get));
    await eventually(() => held.length === 256, 'all connections are in use');
    const waiting = wire(served).send(get);
    await eventually(() => requests.length === 257, 'another request waits');
    served.clock.advance(14_000);
    const next = wire(served).send(get);
    await eventually(() => requests.length === 258, 'one more waits');
    served.clock.advance(1_000);
    expect(await waiting.until(/\n$/)).toMatch(/^HTTP\/1\.1 503 [^]*no time/);
    expect(next.got).toBe('');
    held[0]?.();
    await holders[0]?.until(/late$/);
    await eventually(() => held.length === 257, 'the next gets its connection');
    held[256]?.();
    await next.until(/late$/);
  });

  it('refuses a call that cannot be kept for later as every call is refused, and what is managed in plain words', async () => {
    const { served, agent } = await passing(reading);
    agent.close();
    const later = await wire(served)
      .send('POST /async-function/greet.team/now HTTP/1.1\r\nHost: x\r\nX-Call-Id: mine\r\nContent-Length: 0\r\n\r\n')
      .until(/\n$/);
    expect(later).toMatch(/^HTTP\/1\.1 503 /);
    for (const header of ['X-Skein-Node: north', 'X-Skein-Reason: queue-failed', 'X-Call-Id: mine', 'Retry-After: 1']) {
      expect(later).toContain(`\r\n${header}\r\n`);
    }
    expect(later).toMatch(
      /X-Start-Time: \d+000000\r\n[^]*greet\.team cannot be kept for later now\. The agent of this node/,
    );
    const unnamed = 'POST /async-function/greet HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    expect(await wire(served).send(unnamed).until(/\n$/)).toMatch(/\r\nX-Call-Id: [-0-9a-f]{36}\r\n/);
    const managed = await wire(served).send(get).until(/\n$/);
    expect(managed).toMatch(/^HTTP\/1\.1 503 [^]*nothing can be managed here now/);
    expect(managed).not.toContain('X-Skein-Reason');
  });
});
