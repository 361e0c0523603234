import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { FunctionPlan } from '../routing/plan.ts';
import { begun, call, echo, eventually, exchange, Gate, read, saying, times } from './calls.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Answers with the method, the length and the digest of what it got. */
const digest: RequestListener = (request, response) => {
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => response.end(`${request.method} ${length} ${hash.digest('hex')}`));
};

/** What calls and answers carry: the same here and through a peer. */
export const httpConformance = (
  nodes: () => { readonly a: TestNode; readonly b: TestNode; readonly c: TestNode },
): void => {
  describe.each(['here', 'through a peer'] as const)('a call served %s', (where) => {
    let made = 0;

    /** A function run by `listener`, and its address. */
    const serving = async (listener: RequestListener, changes: Partial<FunctionPlan> = {}): Promise<string> => {
      const { a, b } = nodes();
      const name = `http-${where.length}-${made++}`;
      const at = where === 'here' ? a : b;
      const there = functionPlan([await at.replica(name, listener)], changes);
      if (where === 'here') await a.apply(8, { [name]: there });
      else {
        await b.apply(8, { [name]: there }, [a.asPeer(8)]);
        // Its word on whether it is there may come late where other work takes the machine's time.
        const patient = { queueMs: 15_000, ...changes, peers: [{ id: b.id, weight: 1 }] };
        await a.apply(8, { [name]: functionPlan([], patient) }, [b.asPeer(8)]);
      }
      return `${a.url}/function/${name}`;
    };
    const idle = async (): Promise<void> => {
      for (const node of [nodes().a, nodes().b]) {
        await eventually(async () => {
          const { inFlight, queued, peers } = await node.plane.observe();
          return inFlight + queued + Object.values(peers).reduce((sum, { outstanding }) => sum + outstanding, 0) === 0;
        }, 'nothing runs any more');
      }
    };

    it.each([
      ['POST', 0],
      ['POST', 1],
      ['PUT', 65_536],
      ['POST', 65_537],
      ['PATCH', 5_000_000],
      ['GET', 10],
      ['GET', 100_000],
      ['DELETE', 10],
      ['DELETE', 100_000],
      ['PROPFIND', 100],
    ])('takes a %s with %i bytes', async (method, length) => {
      const body = randomBytes(length);
      const url = await serving(digest);
      const sized = await call(url, { method, body, headers: { 'content-length': `${length}` } });
      expect(sized.body).toBe(`${method} ${length} ${sha(body)}`);
      const chunked = await call(url, {
        method,
        body: Readable.from(length === 0 ? [] : [body]),
        headers: { 'transfer-encoding': 'chunked' },
      });
      expect(chunked.body).toBe(`${method} ${length} ${sha(body)}`);
    });

    it('carries long bodies both ways at once', async () => {
      const body = randomBytes(8_000_000);
      const answer = await call(await serving(echo), { body });
      expect(sha(Buffer.from(answer.body, 'latin1'))).toBe(sha(body));
    });

    it.each([
      ['event', 'text/event-stream', 'data: x\n\n'],
      ['line', 'application/x-ndjson', '{"x":1}\n'],
    ])('passes on each %s as it comes', async (_name, type, text) => {
      let next: (() => void) | undefined;
      const url = await serving((_request, response) => {
        response.writeHead(200, { 'content-type': type });
        response.flushHeaders();
        next = () => response.write(text);
      });
      const answer = await begun(url);
      for (let event = 0; event < 3; event += 1) {
        next?.();
        expect(await read(answer, text.length)).toBe(text);
      }
      answer.destroy();
      await idle();
    });

    it('tells the function that its client left, and frees its room', async () => {
      const gate = new Gate();
      const url = await serving(gate.listener);
      const waiting = times(3, () => begun(url).catch(() => undefined));
      await gate.arrived(3);
      const sockets = times(2, () => {
        const sent = httpRequest(url, { agent: false });
        sent.on('error', () => undefined);
        sent.end();
        return sent;
      });
      await gate.arrived(5);
      for (const sent of sockets) sent.destroy();
      await eventually(() => gate.left === 2, 'the function hears of it');
      gate.open();
      await Promise.all(waiting.map(async (answer) => (await answer)?.resume()));
      await idle();
    });

    it('tells the function that a client left in the middle of its body', async () => {
      let broken = false;
      let begunThere = false;
      const url = await serving((request) => {
        begunThere = true;
        request.resume();
        request.once('close', () => (broken = !request.complete));
      });
      const sent = httpRequest(url, { method: 'POST', agent: false, headers: { 'content-length': '1000000' } });
      sent.on('error', () => undefined);
      sent.write(randomBytes(100_000));
      await eventually(() => begunThere, 'the body begins to arrive');
      sent.destroy();
      await eventually(() => broken, 'the function hears of it');
      await idle();
    });

    it('ends in time: 504, and the function is told', async () => {
      const gate = new Gate();
      const url = await serving(gate.listener, { timeoutMs: 1_000 });
      expect(await call(url)).toMatchObject({ status: 504, reason: 'timeout' });
      await eventually(() => gate.left === 1, 'the function hears of it');
      await idle();
    });

    it.each([
      ['HEAD', 200, { 'content-length': '1234' }],
      ['GET', 204, {}],
      ['GET', 304, { etag: '"x"' }],
      ['GET', 404, { 'content-length': '0' }],
      ['GET', 599, { 'content-length': '0' }],
    ])('answers %s with %i and no body, and its headers', async (method, status, headers) => {
      const url = await serving((_request, response) => void response.writeHead(status, headers).end());
      expect(await call(url, { method })).toMatchObject({ status, body: '', headers });
    });

    it('drops interim answers and trailers of a function', async () => {
      const url = await serving((_request, response) => {
        response.writeProcessing();
        response.writeEarlyHints({ link: '</x>; rel=preload' });
        response.writeHead(200, { trailer: 'x-late' });
        response.write('whole');
        response.addTrailers({ 'x-late': 'yes', 'x-skein-node': 'forged' });
        response.end();
      });
      const answer = await begun(url);
      answer.resume();
      await once(answer, 'end');
      expect([answer.statusCode, answer.headers['trailer'], answer.trailers]).toEqual([200, undefined, {}]);
    });

    it('drops trailers of a client', async () => {
      const url = await serving((request, response) => {
        request.resume();
        request.once('end', () => response.end(JSON.stringify([request.headers['trailer'], request.trailers])));
      });
      const { port, pathname } = new URL(url);
      const head = `POST ${pathname} HTTP/1.1\r\nhost: x\r\ntrailer: x-late\r\ntransfer-encoding: chunked\r\n\r\n`;
      const text = await exchange(
        Number(port),
        `${head}2\r\nhi\r\n0\r\nx-late: yes\r\nx-skein-hop: 0\r\n\r\n`,
        /\[null/,
      );
      expect(text).toMatch(/ 200 [^]*\[null,\{\}\]/);
    });

    it.each([100, 100_000])(
      'gives a client that asks leave to send %i bytes, once there is a place',
      async (length) => {
        const url = await serving(digest);
        const body = randomBytes(length);
        const sent = httpRequest(url, {
          method: 'POST',
          agent: false,
          headers: { expect: '100-continue', 'content-length': `${length}` },
        });
        sent.flushHeaders();
        await once(sent, 'continue');
        sent.end(body);
        const [answer] = (await once(sent, 'response')) as [IncomingMessage];
        const told = `POST ${length} ${sha(body)}`;
        expect(await read(answer, told.length)).toBe(told);
        answer.destroy();
      },
    );

    it('passes on an answer that comes before the body was read', async () => {
      const url = await serving((_request, response) => void response.writeHead(413).end('too long'));
      const { port } = new URL(url);
      const head = `POST ${new URL(url).pathname} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n`;
      expect(await exchange(Number(port), `${head}${'x'.repeat(200_000)}`, /too long/)).toMatch(
        /^HTTP\/1\.1 413 [^]*too long/,
      );
      await idle();
    });

    it('hides what belongs to one connection, and what only nodes may say', async () => {
      const url = await serving((request, response) => {
        response.writeHead(200, {
          'x-skein-node': 'forged',
          'x-skein-reason': 'full',
          'x-skein-load': '0/9',
          'x-call-id': 'forged',
          connection: 'x-private',
          'x-private': 'secret',
          'proxy-authenticate': 'Basic',
          'x-kept': 'yes',
        });
        response.end(JSON.stringify(request.headers));
      });
      const answer = await call(url, {
        headers: {
          connection: ['close, x-nominated', 'X-Skein-Hop, x-also'],
          'x-nominated': '1',
          'x-also': '1',
          'x-skein-hop': '0',
          'x-skein-load': '0/1000',
          'x-skein-node': 'forged',
          'X-SKEIN-Peer': 'forged',
          'x-forwarded-for': '1.2.3.4',
          'x-call-id': 'my-own',
          te: 'trailers',
          'keep-alive': 'timeout=5',
          'proxy-authorization': 'secret',
          'x-kept': 'yes',
        },
      });
      const seen = JSON.parse(answer.body) as Record<string, string>;
      const hop = where === 'here' ? 'a' : 'b';
      expect(seen).toMatchObject({
        'x-kept': 'yes',
        'x-call-id': 'my-own',
        'x-forwarded-for': '127.0.0.1',
        'x-skein-node': hop,
      });
      for (const hidden of [
        'x-nominated',
        'x-also',
        'x-skein-hop',
        'x-skein-load',
        'x-skein-peer',
        'te',
        'keep-alive',
        'proxy-authorization',
      ]) {
        expect(seen).not.toHaveProperty(hidden);
      }
      expect(answer).toMatchObject({ status: 200, node: hop, reason: undefined });
      expect(answer.headers).toMatchObject({ 'x-call-id': 'my-own', 'x-kept': 'yes' });
      for (const hidden of ['x-private', 'x-skein-load', 'proxy-authenticate'])
        expect(answer.headers).not.toHaveProperty(hidden);
    });

    it('keeps repeated headers, their order and their spelling', async () => {
      const url = await serving((request, response) => {
        response.setHeader('set-cookie', ['a=1', 'b=2']);
        response.end(JSON.stringify(request.rawHeaders));
      });
      const answer = await call(url, { headers: { 'X-Many': ['1', '2'], 'x-LATIN': 'caf\u00E9' } });
      const raw = JSON.parse(Buffer.from(answer.body, 'latin1').toString()) as string[];
      expect(raw.join('|')).toContain('X-Many|1|X-Many|2|x-LATIN|caf\u00E9');
      expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    });

    it('passes on path and query as they are', async () => {
      const url = await serving((request, response) => response.end(request.url));
      for (const rest of ['', '/', '/a/../b//c', '/%2e%2e/%00', '?q=1', '/x?a=/function/other&b=%20', '?']) {
        const { pathname, port } = new URL(url);
        const text = await exchange(
          Number(port),
          `GET ${pathname}${rest} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
        );
        expect(text.split('\r\n\r\n')[1]).toContain(rest.startsWith('/') ? rest : `/${rest}`);
      }
    });

    it('keeps bytes beyond ASCII in path and query, encoded', async () => {
      const url = await serving((request, response) => response.end(request.url));
      const { pathname, port } = new URL(url);
      for (const [sent, seen] of [
        ['/\xe9', '/%E9'],
        ['/%c3\xa9/\x80?\xff=%20', '/%c3%A9/%80?%FF=%20'],
      ] as const) {
        const head = `GET ${pathname}${sent} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
        expect((await exchange(Number(port), Buffer.from(head, 'latin1'))).split('\r\n\r\n')[1]).toContain(seen);
      }
    });

    it('takes as many headers as may come', async () => {
      const url = await serving((request, response) => response.end(request.headers['x-254']));
      const { pathname, port } = new URL(url);
      const headers = times(255, (index) => `x-${index}: last\r\n`).join('');
      const text = await exchange(
        Number(port),
        `GET ${pathname} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`,
        /\r\n\r\nlast/,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 [^]*last/);
    });

    it('refuses more headers than that, and takes heads that are nearly too long', async () => {
      const url = await serving((request, response) => response.end(String(request.headers['x']?.length)));
      const { pathname, port } = new URL(url);
      const headers = times(260, (index) => `x-${index}: y\r\n`).join('');
      const text = await exchange(Number(port), `GET ${pathname} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`, /\r\n\r\n/);
      expect(text).toMatch(/^HTTP\/1\.1 431 /);
      expect(await call(url, { headers: { x: 'y'.repeat(16_000) } })).toMatchObject({ status: 200, body: '16000' });
    });

    it('refuses heads that are too long, and goes on', async () => {
      const url = await serving(saying('fine'));
      const long = await exchange(
        Number(new URL(url).port),
        `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      );
      expect(long).toMatch(/^HTTP\/1\.1 431 /);
      expect((await call(url, { headers: { x: 'y'.repeat(12_000) } })).body).toBe('fine');
    });

    it('waits for slow clients: what they do not read is not fetched', async () => {
      let written = 0;
      const url = await serving((_request, response) => {
        const more = (): void => {
          while (written < 100_000_000) {
            written += 65_536;
            if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      });
      const { port, pathname } = new URL(url);
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await once(socket, 'readable');
      let before = -1;
      await eventually(async () => {
        const same = before === written;
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 150));
        return same && before === written;
      }, 'the function is made to wait');
      expect(written).toBeLessThan(40_000_000);
      socket.destroy();
      await idle();
    });

    it.each([
      ['of known length', { 'content-length': '60000000' }],
      ['in chunks', { 'transfer-encoding': 'chunked' }],
    ])('waits for slow functions: what they do not read of a body %s is not taken', async (_how, headers) => {
      const held: IncomingMessage[] = [];
      const url = await serving((request, response) => {
        held.push(request);
        request.once('end', () => response.end('read'));
      });
      let sent = 0;
      const source = new Readable({
        read(size) {
          const more = Math.min(size, 60_000_000 - sent);
          sent += more;
          this.push(more === 0 ? null : Buffer.alloc(more));
        },
      });
      const answered = call(url, { body: source, headers });
      const early = answered.then(({ status, body }) => {
        throw new Error(`answered before it was read: ${status} ${body}`);
      });
      await Promise.race([early, eventually(() => held.length === 1, 'the call arrives')]);
      early.catch(() => undefined);
      let before = -1;
      await eventually(async () => {
        const same = before === sent;
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 150));
        return same && before === sent;
      }, 'the client is made to wait');
      expect(sent).toBeLessThan(30_000_000);
      held[0]?.resume();
      expect((await answered).body).toBe('read');
    });
  });

  describe('a long body', () => {
    it('that one peer refuses is served by another, with nothing lost', async () => {
      const { a, b, c } = nodes();
      const body = randomBytes(3_000_000);
      const closed = functionPlan([await b.replica('long-b', digest)], {
        admission: { peers: {}, others: { kind: 'in-flight', count: 0 } },
      });
      await b.apply(4, { long: closed }, [a.asPeer(4)]);
      await c.apply(4, { long: functionPlan([await c.replica('long-c', digest)]) }, [a.asPeer(4)]);
      const peers = [
        { id: b.id, weight: 1 },
        { id: c.id, weight: 1 },
      ];
      await a.apply(4, { long: functionPlan([], { policy: 'ranked', peers }) }, [b.asPeer(4), c.asPeer(4)]);
      const chunked = { body: Readable.from([body]), headers: { 'transfer-encoding': 'chunked' } };
      expect(await call(`${a.url}/function/long`, chunked)).toMatchObject({
        node: 'c',
        body: `POST 3000000 ${sha(body)}`,
      });
      expect((await b.observed('long')).rejected).toEqual({ full: 1 });
    });

    it('that everyone refuses is answered at once, and its connection goes on', async () => {
      const { a } = nodes();
      const gate = new Gate();
      await a.apply(1, { taken: functionPlan([await a.replica('taken', gate.listener)], { queueMs: 0 }) });
      const first = call(`${a.url}/function/taken`);
      await gate.arrived(1);
      const head = 'POST /function/taken HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n';
      const text = await exchange(
        a.port,
        `${head}${'x'.repeat(200_000)}GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`,
        / 200 /,
      );
      expect(text).toMatch(/^HTTP\/1\.1 503 [^]*HTTP\/1\.1 200 /);
      gate.open();
      await first;
    });
  });

  describe('a caller', () => {
    it('who claims to be a node on the public listener is refused', async () => {
      const { a } = nodes();
      await a.apply(4, { claimed: functionPlan([await a.replica('claimed', saying('ran'))]) });
      for (const id of [a.id, nodes().b.id, 'nobody', '']) {
        const answer = await call(`${a.url}/function/claimed`, { headers: { 'DFaaS-Node-ID': id } });
        expect(answer).toMatchObject({ status: 403, reason: 'not-a-peer' });
      }
      expect((await a.observed('claimed')).served).toBe(0);
    });

    it('who sends a short body without end is answered when the function’s time is over', async () => {
      const { a } = nodes();
      await a.apply(4, { slow: functionPlan([await a.replica('slow', saying('ran'))], { timeoutMs: 80 }) });
      const text = await exchange(
        a.port,
        'POST /function/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf',
        /^HTTP[^]*\n$/,
      );
      expect(text).toMatch(/^HTTP\/1\.1 504 /);
      expect((await a.observed('slow')).served).toBe(0);
    });
  });
};
