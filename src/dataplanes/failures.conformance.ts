import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createIdentity, type Identity } from '../membership/identity.ts';
import type { PeerPlan } from '../routing/plan.ts';
import { begun, call, echo, eventually, exchange, Gate, saying, tally, times } from './calls.testing.ts';
import { selfSigned } from './certificate.ts';
import { channelOptions } from './peer-channel.ts';
import { functionPlan, TestNode, type OpenPlane } from './test-node.testing.ts';

type Nodes = () => { readonly a: TestNode; readonly b: TestNode; readonly c: TestNode };

/** What is left of a call when others break. */
export const failuresConformance = (nodes: Nodes, strict: () => TestNode, open: OpenPlane): void => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const listening = async (server: Server): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(() => void server.close());
    return (server.address() as AddressInfo).port;
  };
  const peerAt = (port: number, { id, publicKeyHex: publicKey }: Identity, name = 'odd'): PeerPlan => {
    const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
    return { id, name, address, publicKey, slots: 4, rttMs: 0.1 };
  };

  describe('a replica', () => {
    it.each([
      ['closes at once', ''],
      ['answers no HTTP', 'SMTP 220 hello\r\n\r\n'],
      ['closes within the head', 'HTTP/1.1 200 OK\r\ncontent-le'],
      ['answers two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
      ['answers a status of no kind', 'HTTP/1.1 abc OK\r\n\r\n'],
      ['answers heads without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(40_000)}\r\n`],
    ])('that %s gives 502', async (name, text) => {
      const { a } = nodes();
      const replica = await a.rawReplica(`raw-${name.replaceAll(' ', '-')}`, (socket) => {
        socket.once('data', () => socket.end(text));
      });
      await a.apply(4, { raw: functionPlan([replica]) });
      expect(await call(`${a.url}/function/raw`, { body: 'x' })).toMatchObject({
        status: 502,
        reason: 'function-failed',
        node: 'a',
      });
      expect(await a.observed('raw')).toMatchObject({ inFlight: 0 });
    });

    it.each([
      ['a known length', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf'],
      ['a known length, with nothing of it', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n'],
      ['a long known length', `HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(200_000)}`],
      ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
      ['a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
    ])('that dies within an answer of %s never makes it look whole', async (name, text) => {
      const { a, b } = nodes();
      for (const at of [a, b]) {
        const replica = await at.rawReplica(`half-${name.replaceAll(/\W/g, '-')}`, (socket) => {
          socket.once('data', () => socket.end(text));
        });
        await at.apply(4, { half: functionPlan([replica]) }, [a.asPeer(4)]);
        if (at === b) await a.apply(4, { half: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(4)]);
        const answer = await call(`${a.url}/function/half`).catch(() => undefined);
        expect(answer?.status ?? 502).toBe(502);
        await eventually(async () => (await at.observed('half')).inFlight === 0, 'its room is free');
      }
    });

    it.each([0, 1_000, 200_000])(
      'that is not there is passed over for one that is, with %i bytes kept whole',
      async (length) => {
        const { a } = nodes();
        const body = randomBytes(length);
        const replicas = [a.goneReplica('gone-1'), a.goneReplica('gone-2'), await a.replica(`there-${length}`, echo)];
        await a.apply(4, { [`over-${length}`]: functionPlan(replicas) });
        for (let index = 0; index < 4; index += 1) {
          const answer = await call(`${a.url}/function/over-${length}`, { body });
          expect([answer.status, answer.body]).toEqual([200, body.toString('latin1')]);
        }
      },
    );

    it('that is not there, as the only one, is waited for', async () => {
      const { a } = nodes();
      await a.apply(4, { awaited: functionPlan([a.goneReplica('gone')]) });
      const answered = call(`${a.url}/function/awaited`, { body: 'kept' });
      await eventually(async () => (await a.observed('awaited')).inFlight === 1, 'it is held');
      await a.apply(4, { awaited: functionPlan([await a.replica('come', echo)]) });
      expect(await answered).toMatchObject({ status: 200, body: 'kept' });
    });

    it('that is to be started is asked for, and the calls that wait are served', async () => {
      const { a } = nodes();
      const wanted: number[] = [];
      ends.push(a.plane.onDemand(({ key, inFlight }) => void (key === 'cold.openfaas-fn' && wanted.push(inFlight))));
      await a.apply(4, { cold: functionPlan([], { canStart: true }) });
      const all = times(6, () => call(`${a.url}/function/cold`));
      await eventually(() => wanted.includes(6), 'all six are asked for');
      expect((await a.observed('cold')).inFlight).toBe(4);
      await a.apply(4, { cold: functionPlan([await a.replica('cold', saying('warm'))], { canStart: true }) });
      expect(tally((await Promise.all(all)).map(({ body }) => body))).toEqual({ warm: 6 });
    });

    it('that cannot be started after all is waited for no longer: a peer that can runs the call, or it is told', async () => {
      const { a, b } = nodes();
      const problem = 'It fails.';
      await b.apply(4, { unable: functionPlan([await b.replica('able', saying('able'))]) }, [a.asPeer(4)]);
      await a.apply(4, { unable: functionPlan([], { canStart: true }) }, [b.asPeer(4)]);
      const first = call(`${a.url}/function/unable`);
      await eventually(async () => (await a.observed('unable')).inFlight === 1, 'it is held');
      await a.apply(4, { unable: functionPlan([], { problem }) }, [b.asPeer(4)]);
      expect(await first).toMatchObject({
        status: 503,
        reason: 'start-failed',
        body: expect.stringContaining(problem),
      });
      expect((await call(`${a.url}/function/unable`)).body).toContain(problem);
      const peers = [{ id: b.id, weight: 1 }];
      await a.apply(4, { unable: functionPlan([], { problem, peers }) }, [b.asPeer(4)]);
      expect(await call(`${a.url}/function/unable`)).toMatchObject({ status: 200, body: 'able' });
      await b.apply(4, { unable: functionPlan([], { problem }) }, [a.asPeer(4)]);
      await a.apply(4, { unable: functionPlan([], { problem, peers, queueMs: 50 }) }, [b.asPeer(4)]);
      expect((await call(`${a.url}/function/unable`)).status).toBe(503);
    });

    it('that will not come, though calls hold room for it, leaves them to a peer, or to be told why', async () => {
      const { a, b } = nodes();
      const problem = 'It fails: "$HOME" \\ 100 %.';
      const shared = (weight: number) => functionPlan([], { problem, queueMs: 50, peers: [{ id: b.id, weight }] });
      const hold = async () => {
        await a.apply(4, { stranded: functionPlan([], { canStart: true }) }, [b.asPeer(4)]);
        const answered = call(`${a.url}/function/stranded`, { body: 'kept' });
        await eventually(async () => (await a.observed('stranded')).inFlight === 1, 'it is held');
        return { answered };
      };
      await b.apply(4, { stranded: functionPlan([await b.replica('stranded', echo)]) }, [a.asPeer(4)]);
      const lucky = await hold();
      await a.apply(4, { stranded: shared(1) }, [b.asPeer(4)]);
      expect(await lucky.answered).toMatchObject({ status: 200, node: 'b', body: 'kept' });
      const unlucky = await hold();
      await a.apply(4, { stranded: shared(0) }, [b.asPeer(4)]);
      const told = await unlucky.answered;
      expect(told).toMatchObject({ status: 503, reason: 'start-failed', body: expect.stringContaining(problem) });
    });

    it('that cannot be started after all is told to a peer that sent a call, at once', async () => {
      const { a, b } = nodes();
      const sending = functionPlan([], { queueMs: 50, peers: [{ id: a.id, weight: 1 }] });
      await a.apply(4, { sent: functionPlan([], { canStart: true }) }, [b.asPeer(4)]);
      await b.apply(4, { sent: sending }, [a.asPeer(4)]);
      const answered = call(`${b.url}/function/sent`);
      await eventually(async () => (await a.observed('sent')).inFlight === 1, 'it is held');
      const peers = [{ id: b.id, weight: 1 }];
      await a.apply(4, { sent: functionPlan([], { problem: 'It fails.', peers }) }, [b.asPeer(4)]);
      expect((await answered).status).toBe(503);
      // While it may wait for room, it may be tried there again.
      expect(Object.keys((await a.observed('sent')).rejected)).toEqual(['start-failed']);
    });

    it('that cannot be started after all at a peer leaves the call, which that had taken on, to another', async () => {
      const { a, b, c } = nodes();
      await a.apply(4, { left: functionPlan([], { canStart: true }) }, [b.asPeer(4)]);
      await c.apply(4, { left: functionPlan([await c.replica('left', echo)]) }, [b.asPeer(4)]);
      const peers = [a, c].map(({ id }) => ({ id, weight: 1 }));
      await b.apply(4, { left: functionPlan([], { policy: 'ranked', peers }) }, [a.asPeer(4), c.asPeer(4)]);
      const answered = call(`${b.url}/function/left`, { body: 'kept' });
      await eventually(async () => (await a.observed('left')).inFlight === 1, 'it is held');
      await a.apply(4, { left: functionPlan([]) }, [b.asPeer(4)]);
      expect(await answered).toMatchObject({ status: 200, node: 'c', body: 'kept' });
      expect((await a.observed('left')).rejected).toEqual({ 'no-replica': 1 });
    });

    it('that is to be started is not waited for by clients that left', async () => {
      const { a } = nodes();
      await a.apply(4, { left: functionPlan([], { canStart: true }) });
      const controller = new AbortController();
      const asked = fetch(`${a.url}/function/left`, { signal: controller.signal }).catch(() => undefined);
      await eventually(async () => (await a.observed('left')).inFlight === 1, 'it is held');
      controller.abort();
      await asked;
      await eventually(async () => (await a.observed('left')).inFlight === 0, 'its room is free');
    });
  });

  describe('a peer', () => {
    /** `fine` runs at b, which comes after `first` in the ranking. */
    const second = async (first: PeerPlan, at = nodes().a): Promise<string> => {
      const { b } = nodes();
      await b.apply(8, { fine: functionPlan([await b.replica(`fine-${randomBytes(4).toString('hex')}`, echo)]) }, [
        at.asPeer(4),
      ]);
      const peers = [
        { id: first.id, weight: 1 },
        { id: b.id, weight: 1 },
      ];
      await at.apply(4, { fine: functionPlan([], { policy: 'ranked', peers }) }, [first, b.asPeer(8)]);
      return `${at.url}/function/fine`;
    };

    it.each([0, 1_000, 200_000])('that is not there is passed over, with %i bytes kept whole', async (length) => {
      const body = randomBytes(length);
      // A port that was free a moment ago may be another test's by now; this one is nobody's.
      const url = await second(peerAt(1, createIdentity()));
      const answer = await call(url, { body });
      expect([answer.status, answer.node, answer.body]).toEqual([200, 'b', body.toString('latin1')]);
      expect((await nodes().a.plane.observe()).inFlight).toBe(0);
    });

    it('that cannot prove who it is gets not a byte of a call', async () => {
      let heard = 0;
      const credentials = await selfSigned(createIdentity().privateKey, Date.now());
      const server = createHttpsServer(channelOptions(credentials), (_request, response) => {
        heard += 1;
        response.end('stolen');
      });
      const url = await second(peerAt(await listening(server), createIdentity()));
      expect(await call(url, { body: 'secret' })).toMatchObject({ node: 'b', body: 'secret' });
      expect(heard).toBe(0);
    });

    it('that takes connections and says nothing is passed over', async () => {
      const mute = createServer((socket) => {
        // Whoever gives up on it may say so at any time, also when this test is long over.
        socket.on('error', () => undefined);
        ends.push(() => socket.destroy());
      });
      const url = await second(peerAt(await listening(mute), createIdentity()), strict());
      expect(await call(url)).toMatchObject({ status: 200, node: 'b' });
    });

    /** A peer that proves who it is and then falls silent, as one that is frozen. */
    const frozen = async (): Promise<PeerPlan> => {
      const identity = createIdentity();
      const server = createHttpsServer(
        channelOptions(await selfSigned(identity.privateKey, Date.now())),
        () => undefined,
      );
      server.on('checkContinue', () => undefined);
      ends.push(() => server.closeAllConnections());
      return peerAt(await listening(server), identity);
    };

    it('that falls silent is passed over when nothing of a body was sent', async () => {
      const at = strict();
      expect(await call(await second(await frozen(), at))).toMatchObject({ status: 200, node: 'b' });
      const long = randomBytes(200_000);
      const answer = await call(await second(await frozen(), at), { body: long });
      expect([answer.status, answer.node, answer.body.length]).toEqual([200, 'b', long.length]);
    });

    it('that falls silent with a body makes a 504: nobody knows whether it ran', async () => {
      const url = await second(await frozen(), strict());
      expect(await call(url, { body: 'once only' })).toMatchObject({ status: 504, reason: 'timeout' });
      expect(await call(url, { body: 'next' })).toMatchObject({ status: 200, node: 'b' });
    });

    it('that refuses once it has some of a long body gives its refusal as the answer', async () => {
      const identity = createIdentity();
      const server = createHttpsServer(channelOptions(await selfSigned(identity.privateKey, Date.now())));
      server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
        response.writeContinue();
        request.once('data', () => response.writeHead(503, { 'x-skein-reason': 'no-replica' }).end());
      });
      ends.push(() => server.closeAllConnections());
      const url = await second(peerAt(await listening(server), identity));
      expect(await call(url, { body: randomBytes(2_000_000) })).toMatchObject({ status: 503, reason: 'no-replica' });
    });

    it('that is not in the plan is no target, also for calls that wait', async () => {
      const { a, b } = nodes();
      const [here, there] = [new Gate(), new Gate()];
      await b.apply(4, { parted: functionPlan([await b.replica('parted', there.listener)]) }, [a.asPeer(1)]);
      const replica = await a.replica('parted', here.listener);
      const peers = [{ id: b.id, weight: 1 }];
      await a.apply(1, { parted: functionPlan([replica], { peers }) }, [b.asPeer(4)]);
      const running = times(2, () => call(`${a.url}/function/parted`));
      await here.arrived(1);
      await there.arrived(1);
      await a.apply(1, { parted: functionPlan([replica], { peers, queueMs: 20_000 }) });
      const waits = call(`${a.url}/function/parted`);
      await eventually(async () => (await a.observed('parted')).queued === 1, 'it waits');
      here.open();
      there.open();
      expect((await waits).node).toBe('a');
      await Promise.all(running);
    });

    it.each([
      ['no certificate', undefined],
      ['a certificate that nobody knows', createIdentity()],
    ])('with %s is refused on the peer listener', async (_name, identity) => {
      const { b } = nodes();
      await b.apply(
        4,
        { guarded: functionPlan([await b.replica(`guarded-${randomBytes(4).toString('hex')}`, saying('ran'))]) },
        [nodes().a.asPeer(4)],
      );
      const shown = identity === undefined ? {} : await selfSigned(identity.privateKey, Date.now());
      for (const path of ['/function/guarded', '/system/bundles/sha256:0', '/healthz']) {
        const headers = { 'X-Skein-Hop': '1', 'X-Skein-Load': '4/4', 'X-Skein-Peer': nodes().a.id };
        const { port } = b.plane.address().peer;
        const sent = httpsRequest({
          ...shown,
          host: '127.0.0.1',
          port,
          path,
          headers,
          rejectUnauthorized: false,
          agent: false,
        });
        sent.end();
        const [answer] = (await once(sent, 'response')) as [IncomingMessage];
        expect([answer.statusCode, answer.headers['x-skein-reason']]).toEqual([403, 'not-a-peer']);
        answer.destroy();
      }
      expect(await b.observed('guarded')).toMatchObject({ served: 0, received: {} });
    });

    it('cannot speak without TLS', async () => {
      const text = await exchange(
        nodes().b.plane.address().peer.port,
        'GET /function/guarded HTTP/1.1\r\nhost: x\r\n\r\n',
      );
      expect(text).not.toMatch(/^HTTP\/1\.1 2/);
    });
  });

  describe('a plane', () => {
    it('ignores a plan that is older than the one in force, and all that it said', async () => {
      const { a } = nodes();
      const [one, other] = [await a.replica('aged-1', saying('one')), await a.replica('aged-2', saying('other'))];
      const older = a.plan(4, { aged: functionPlan([one]) });
      await a.apply(4, { aged: functionPlan([other]) });
      await a.plane.apply(older);
      expect((await call(`${a.url}/function/aged`)).body).toBe('other');
      await a.apply(4, { aged: functionPlan([one]) });
      expect((await call(`${a.url}/function/aged`)).body).toBe('one');
    });

    it('lets calls that wait go when their function is removed', async () => {
      const { a } = nodes();
      const gate = new Gate();
      await a.apply(1, { removed: functionPlan([await a.replica('removed', gate.listener)], { queueMs: 20_000 }) });
      const all = times(4, () => call(`${a.url}/function/removed`));
      await gate.arrived(1);
      await eventually(async () => (await a.observed('removed')).queued === 3, 'three wait');
      await a.apply(1, {});
      await eventually(async () => (await a.plane.observe()).queued === 0, 'nobody waits');
      gate.open();
      expect(tally((await Promise.all(all)).map(({ status }) => `${status}`))).toEqual({ 200: 1, 404: 3 });
    });

    it('that stops finishes what runs and takes nothing new', async () => {
      const node = await TestNode.start('leaving', open);
      const gate = new Gate();
      const size = 6_000_000;
      const big = await node.replica('big', (_request, response) => void response.end(Buffer.alloc(size)));
      await node.apply(8, {
        gated: functionPlan([await node.replica('gated', gate.listener)]),
        big: functionPlan([big]),
      });
      const { url } = node;
      const running = call(`${url}/function/gated`);
      const slow = await begun(`${url}/function/big`);
      await gate.arrived(1);
      const stopped = node.plane.stop(15_000);
      await eventually(
        () =>
          begun(`${url}/healthz`).then(
            (answer) => (answer.resume(), false),
            () => true,
          ),
        'it takes no connection',
      );
      gate.open();
      expect((await running).body).toBe('through');
      let length = 0;
      for await (const chunk of slow) length += (chunk as Buffer).length;
      expect(length).toBe(size);
      await stopped;
      ends.push(() => node.stop());
    });

    it('that stops waits no longer than it is told', async () => {
      const node = await TestNode.start('leaving', open);
      const gate = new Gate();
      await node.apply(8, { stuck: functionPlan([await node.replica('stuck', gate.listener)]) });
      const broken = call(`${node.url}/function/stuck`).catch(() => 'broken');
      await gate.arrived(1);
      await node.stop();
      expect(await broken).toBe('broken');
    });
  });
};
