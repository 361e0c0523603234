import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { ReplicaPlan } from '../routing/plan.ts';
import { call, eventually, exchange, saying } from './calls.testing.ts';
import { idle, places, serveAt, type Nodes } from './serving.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Connections that become another protocol's. */
export const upgradeConformance = (nodes: Nodes, strict: () => TestNode): void => {
  describe.each(places)('a WebSocket served %s', (where) => {
    const ends: (() => unknown)[] = [];
    let made = 0;
    afterEach(async () => {
      for (const end of ends.splice(0).reverse()) await end();
      await idle(nodes().a, nodes().b);
    });

    /** A replica that grants upgrades as `onUpgrade` does. */
    const granting =
      (onUpgrade: OnUpgrade) =>
      async (at: TestNode): Promise<ReplicaPlan> => {
        const id = `up-${where.length}-${made++}`;
        const path = join(at.facts.folder, id);
        const server = createServer(saying('plain'));
        server.on('upgrade', (request, socket, head) => {
          ends.push(() => socket.destroy());
          socket.on('error', () => undefined);
          onUpgrade(request, socket, head);
        });
        server.listen(path);
        await once(server, 'listening');
        ends.push(() => server.close());
        return { id, address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight: 0 };
      };
    const sockets = (): { replica: (at: TestNode) => Promise<ReplicaPlan>; server: WebSocketServer } => {
      const server = new WebSocketServer({ noServer: true });
      server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
      const onUpgrade: OnUpgrade = (request, socket, head) =>
        server.handleUpgrade(request, socket, head, (accepted) => server.emit('connection', accepted, request));
      return { replica: granting(onUpgrade), server };
    };
    const opened = async (url: string): Promise<WebSocket> => {
      const socket = new WebSocket(url.replace('http:', 'ws:'), { perMessageDeflate: false });
      ends.push(() => socket.terminate());
      await once(socket, 'open');
      return socket;
    };
    const inFlight = async (): Promise<number> => {
      const { a, b } = nodes();
      return (await (where === 'here' ? a : b).plane.observe()).inFlight;
    };
    const asking = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: raw\r\n\r\n`;
    const rawClient = (url: string, text: string): { socket: Socket; got: () => string } => {
      const { port } = new URL(url);
      const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
      let got = '';
      socket.setEncoding('latin1');
      socket.on('data', (part: string) => (got += part));
      socket.on('error', () => undefined);
      socket.write(text, 'latin1');
      ends.push(() => socket.destroy());
      return { socket, got: () => got };
    };

    it('carries messages both ways, large ones too, and is in flight as long as it lasts', async () => {
      const { replica } = sockets();
      const socket = await opened(await serveAt(nodes(), where, 'chat', { replica }));
      for (const length of [0, 1, 125, 65_536, 3_000_000]) {
        const sent = Buffer.alloc(length, 'x');
        socket.send(sent);
        const [data] = (await once(socket, 'message')) as [Buffer];
        expect(data.equals(sent)).toBe(true);
      }
      expect(await inFlight()).toBe(1);
      socket.close(1000);
      await once(socket, 'close');
      await eventually(async () => (await inFlight()) === 0, 'its room is free');
      expect(await (where === 'here' ? nodes().a : nodes().b).observed('chat')).toMatchObject({ served: 1 });
    });

    it('passes on path, query and headers, and the answer names call and node', async () => {
      let asked: IncomingMessage | undefined;
      const replica = granting((request, socket) => {
        asked = request;
        socket.write(
          'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: raw/2\r\nX-Kept: yes\r\nX-Skein-Load: 9/9\r\n\r\n',
        );
      });
      const url = await serveAt(nodes(), where, 'headers', { replica });
      const { pathname } = new URL(url);
      const text = `GET ${pathname}/room?x=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: raw\r\nx-skein-hop: 0\r\nx-own: 1\r\n\r\n`;
      const { got, socket } = rawClient(url, text);
      await eventually(() => got().includes('\r\n\r\n'), 'it is granted');
      expect(asked?.url).toBe('/room?x=1');
      expect(asked?.headers).toMatchObject({ upgrade: 'raw', connection: 'Upgrade', 'x-own': '1' });
      expect(asked?.headers).not.toHaveProperty('x-skein-hop');
      expect(got()).toMatch(/^HTTP\/1\.1 101 /);
      for (const line of ['Upgrade: raw/2', 'Connection: Upgrade', 'X-Kept: yes', 'X-Call-Id: ']) {
        expect(got()).toContain(line);
      }
      expect(got()).toMatch(new RegExp(`X-Skein-Node: ${where === 'here' ? 'a' : 'b'}\r\n`, 'i'));
      expect(got()).not.toMatch(/x-skein-load/i);
      socket.destroy();
    });

    it('loses no byte that comes right behind a head, on either side', async () => {
      let heard = '';
      const replica = granting((_request, socket, head) => {
        heard += String(head);
        socket.on('data', (part: Buffer) => (heard += String(part)));
        socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nfirst words');
      });
      const url = await serveAt(nodes(), where, 'early', { replica });
      const { got, socket } = rawClient(url, `${asking(new URL(url).pathname)}GET /early HTTP/1.1\r\n\r\n`);
      await eventually(() => got().endsWith('\r\n\r\nfirst words'), 'the first words come');
      await eventually(() => heard === 'GET /early HTTP/1.1\r\n\r\n', 'what the client said comes');
      socket.destroy();
    });

    it('ends at each side when the other ends', async () => {
      const { replica, server } = sockets();
      const url = await serveAt(nodes(), where, 'ends', { replica });
      for (const end of ['close', 'terminate'] as const) {
        for (const side of ['client', 'server'] as const) {
          const accepted = once(server, 'connection') as Promise<[WebSocket]>;
          const client = await opened(url);
          const [serving] = await accepted;
          const [ending, other] = side === 'client' ? [client, serving] : [serving, client];
          const ended = once(other, 'close');
          ending[end]();
          await ended;
          await eventually(async () => (await inFlight()) === 0, 'its room is free');
        }
      }
    });

    it('lets one side finish speaking after the other has', async () => {
      const replica = granting((_request, socket) => {
        socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n');
        socket.once('end', () => socket.end('last words'));
        socket.resume();
      });
      const url = await serveAt(nodes(), where, 'half', { replica });
      const { got, socket } = rawClient(url, asking(new URL(url).pathname));
      await eventually(() => got().endsWith('\r\n\r\n'), 'it is granted');
      socket.end('that is all');
      await once(socket, 'end');
      expect(got()).toMatch(/last words$/);
    });

    it('that the function does not grant is answered as any call, and what follows is no request', async () => {
      let calls = 0;
      const url = await serveAt(nodes(), where, 'denied', (_request, response) => {
        calls += 1;
        response.writeHead(426, { 'content-length': '6' }).end('denied');
      });
      const { pathname, port } = new URL(url);
      const text = await exchange(Number(port), asking(pathname) + asking(`${pathname}/smuggled`));
      expect(text).toMatch(/^HTTP\/1\.1 426 [^]*denied$/);
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(calls).toBe(1);
    });

    it('carries a long answer that is no upgrade to a slow reader', async () => {
      const url = await serveAt(nodes(), where, 'long', (_request, response) =>
        response.end(Buffer.alloc(5_000_000, 'y')),
      );
      const isWhole = (got: string): boolean => got.length - got.indexOf('\r\n\r\n') - 4 >= 5_000_000;
      const text = await exchange(Number(new URL(url).port), asking(new URL(url).pathname), isWhole);
      expect(text.split('\r\n\r\n')[1]?.replaceAll(/[^y]/g, '')).toHaveLength(5_000_000);
    });

    it.each([
      ['h2c', 'connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n'],
      ['with a body', 'connection: upgrade\r\nupgrade: raw\r\ncontent-length: 2\r\n'],
    ])('is not asked for where the wish is %s', async (name, headers) => {
      const url = await serveAt(nodes(), where, 'plain', (request, response) => {
        request.resume();
        response.end(`${request.headers.upgrade}`);
      });
      const head = `GET ${new URL(url).pathname} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`;
      const text = await exchange(Number(new URL(url).port), `${head}${name === 'h2c' ? '' : 'xx'}`, /undefined/);
      expect(text).toMatch(/^HTTP\/1\.1 200 [^]*undefined/);
    });

    it('gets refusals as any call, and its time holds until it is granted', async () => {
      const url = await serveAt(nodes(), where, 'never', { replica: granting(() => undefined) }, { timeoutMs: 1_000 });
      const { pathname, port, origin } = new URL(url);
      const headOf = (path: string): Promise<string> => exchange(Number(port), asking(path), /\r\n\r\n/);
      expect(await headOf(pathname)).toMatch(/^HTTP\/1\.1 504 [^]*X-Skein-Reason: timeout/i);
      expect(await headOf('/function/nobody')).toMatch(/^HTTP\/1\.1 404 /);
      expect((await call(`${origin}/function/never`).catch(() => ({ status: 0 }))).status).toBe(200);
    });

    it('outlives the time of a call once it is granted', async () => {
      const { replica } = sockets();
      const socket = await opened(await serveAt(nodes(), where, 'lasting', { replica }, { timeoutMs: 1_000 }));
      const end = performance.now() + 1_300;
      while (performance.now() < end) {
        socket.send('still there');
        await once(socket, 'message');
      }
      expect(socket.readyState).toBe(WebSocket.OPEN);
    });
  });

  describe('a WebSocket', () => {
    it('that is silent for too long is closed', async () => {
      const node = strict();
      const server = new WebSocketServer({ noServer: true });
      const replica = await node.replica('silent', saying('plain'));
      const path = join(node.facts.folder, 'ws');
      const front = createServer();
      front.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head, () => undefined));
      front.listen(path);
      await once(front, 'listening');
      await node.apply(4, { silent: functionPlan([{ ...replica, address: { kind: 'unix', path } }]) });
      const socket = new WebSocket(`${node.url}/function/silent`.replace('http', 'ws'));
      await once(socket, 'open');
      await once(socket, 'close');
      await idle(node);
      front.close();
    });

    it('takes another peer where one has no room', async () => {
      const { a, b, c } = nodes();
      const server = new WebSocketServer({ noServer: true });
      server.on('connection', (accepted: WebSocket) => accepted.send('hello'));
      const front = createServer();
      front.on('upgrade', (request, socket, head) =>
        server.handleUpgrade(request, socket, head, (accepted) => server.emit('connection', accepted)),
      );
      const path = join(c.facts.folder, 'ws-peer');
      front.listen(path);
      await once(front, 'listening');
      const closed = functionPlan([await b.replica('full', saying('no'))], {
        admission: { peers: {}, others: { kind: 'in-flight', count: 0 } },
      });
      await b.apply(4, { roomy: closed }, [a.asPeer(4)]);
      const there: ReplicaPlan = { id: 'ws', address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight: 0 };
      await c.apply(4, { roomy: functionPlan([there]) }, [a.asPeer(4)]);
      const peers = [
        { id: b.id, weight: 1 },
        { id: c.id, weight: 1 },
      ];
      await a.apply(4, { roomy: functionPlan([], { policy: 'ranked', peers }) }, [b.asPeer(4), c.asPeer(4)]);
      const socket = new WebSocket(`${a.url}/function/roomy`.replace('http', 'ws'));
      const [data] = (await once(socket, 'message')) as [Buffer];
      expect(String(data)).toBe('hello');
      expect((await b.observed('roomy')).rejected).toEqual({ full: 1 });
      socket.close();
      await once(socket, 'close');
      await idle(a, c);
      front.close();
    });
  });
};
