import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../std/clock.ts';
import { seeded } from '../../std/random.ts';
import { silentLog } from '../../telemetry/log.ts';
import { createFederationKey } from '../federation-key.ts';
import { createIdentity, type Identity } from '../identity.ts';
import { membershipConformance, type MembershipFixture } from '../membership.conformance.ts';
import type { Membership } from '../membership.ts';
import { announcement, encodeMessage, maxMessageBytes, type Message } from '../message.ts';
import { encodeFrame } from './frames.ts';
import { messageRate } from './inbox.ts';
import { Libp2pMembership } from './libp2p-membership.ts';
import { createNode, startNode, type Node } from './node.ts';
import { protocol } from './peers.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const federationKey = createFederationKey();

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => {
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

type Options = {
  key?: string;
  clock?: Clock;
  port?: number;
  host?: string;
  identity?: Identity;
  from?: readonly string[];
};

const make = (options: Options): Libp2pMembership =>
  new Libp2pMembership({
    clock: options.clock ?? systemClock,
    random: seeded(1),
    log: silentLog,
    identity: options.identity ?? createIdentity(),
    federationKey: options.key ?? federationKey,
    listen: { host: options.host ?? loopback.host, port: options.port ?? 0 },
    bootstrap: options.from ?? [],
  });

const until = async (condition: () => boolean): Promise<void> => {
  await expect.poll(condition, { interval: 10 }).toBe(true);
};

/** A member that speaks libp2p but is none of ours: it says what it is told to say. */
const rawNode = async (key = federationKey): Promise<Node> => {
  const node = await createNode(createIdentity(), key, loopback);
  await startNode(node, loopback);
  return node;
};

/** Each payload gets a message id of its own and a frame around it. */
const frames = (payloads: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(payloads.map((payload, n) => encodeFrame('message', Buffer.concat([idOf(n), payload]))));

const idOf = (n: number): Uint8Array => {
  const id = Buffer.alloc(8);
  id.writeUInt32BE(n);
  return id;
};

const say = (payload: unknown): Message => ({ kind: 'strategy', strategy: 'test', payload });

const stateOf = (member: Membership, id: string): string | undefined =>
  member.members().find((other) => other.id === id)?.state;

const open = (): MembershipFixture => {
  const raw: Node[] = [];
  return {
    make: (identity, from) => make({ identity, from: from.map((member) => member.addresses()[0] ?? '') }),
    inject: async (to, payloads) => {
      const node = await rawNode();
      raw.push(node);
      const stream = await node.dialProtocol(multiaddr(to.addresses()[0]), protocol);
      stream.send(frames(payloads));
    },
    until,
    close: async () => {
      for (const node of raw) await node.stop();
    },
  };
};

membershipConformance('Libp2pMembership', open);

describe('membership over libp2p', () => {
  const cleanUps: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp();
  });

  const join = async (options: Options = {}): Promise<Libp2pMembership> => {
    const member = make(options);
    cleanUps.push(() => member.stop());
    await member.start();
    return member;
  };

  const raw = async (key = federationKey): Promise<Node> => {
    const node = await rawNode(key);
    cleanUps.push(() => node.stop());
    return node;
  };

  const addressOf = (member: Membership): string => member.addresses()[0] ?? '';
  const portOf = (member: Membership): number => Number(addressOf(member).split('/')[4]);

  it('knows nodes by their libp2p peer id', async () => {
    const identity = createIdentity();
    const peerId = peerIdFromString(identity.id);
    expect(peerId.type).toBe('Ed25519');
    expect(Buffer.from(peerId.publicKey?.raw ?? []).toString('hex')).toBe(identity.publicKeyHex);
    const node = await createNode(identity, federationKey, loopback);
    expect(node.peerId.toString()).toBe(identity.id);
  });

  it('refuses whoever holds another federation key', async () => {
    const a = await join();
    const stranger = await join({ key: createFederationKey(), from: [addressOf(a)] });
    const node = await raw(createFederationKey());
    await expect(node.dial(multiaddr(addressOf(a)))).rejects.toThrow();
    const friend = await join({ from: [addressOf(a)] });
    await until(() => stateOf(a, friend.self) === 'alive');
    expect(a.members().map(({ id }) => id)).toEqual([friend.self]);
    expect(stranger.members()).toEqual([]);
  });

  it('says which port is in use, and what to do', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => void server.close());
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const member = make({ port });
    await expect(member.start()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        new RegExp(`^port ${port} \\(federation\\) is in use: .*another with federation\\.listen$`),
      ),
    });
    expect(member.addresses()).toEqual([]);
  });

  it('begins with HOST:PORT, names too, and is not confused by its own address', async () => {
    const a = await join();
    const b = await join({ from: [`127.0.0.1:${portOf(a)}`, '127.0.0.1:1'] });
    const c = await join({ from: [`localhost:${portOf(a)}`] });
    await until(() => [a, b, c].every((one) => one.members().length === 2));
    const port = portOf(a);
    await a.stop();
    const again = await join({ port, from: [`127.0.0.1:${port}`, `127.0.0.1:${portOf(b)}`] });
    await until(() => stateOf(again, b.self) === 'alive');
    expect(stateOf(again, again.self)).toBeUndefined();
  });

  it('comes together again after everyone restarted', async () => {
    const identities = [createIdentity(), createIdentity()];
    const first = await join({ ...(identities[0] && { identity: identities[0] }) });
    const port = portOf(first);
    const from = [`127.0.0.1:${port}`];
    const second = await join({ ...(identities[1] && { identity: identities[1] }), from });
    await until(() => stateOf(first, second.self) === 'alive');
    await Promise.all([first.stop(), second.stop()]);
    const late = await join({ ...(identities[1] && { identity: identities[1] }), from });
    const back = await join({ ...(identities[0] && { identity: identities[0] }), port });
    await until(() => stateOf(late, first.self) === 'alive' && stateOf(back, second.self) === 'alive');
  });

  it('a wildcard address is told as the one it is seen at', async () => {
    const a = await join();
    const b = await join({ host: '0.0.0.0', from: [addressOf(a)] });
    const peer = { host: '0.0.0.0', port: 4242 };
    b.announce(announcement.parse({ name: 'b', version: '1', slots: 1, peer, gateway: '' }));
    await until(() => a.members()[0]?.announcement !== undefined);
    expect(a.members()[0]?.announcement?.peer).toEqual({ host: '127.0.0.1', port: 4242 });
  });

  it('sees at once that a peer was killed', async () => {
    const a = await join();
    const node = await raw();
    const connection = await node.dial(multiaddr(addressOf(a)));
    await until(() => stateOf(a, node.peerId.toString()) === 'alive');
    connection.abort(new Error('killed'));
    await until(() => stateOf(a, node.peerId.toString()) === 'gone');
  });

  it('gives up a peer that is connected and silent', async () => {
    const a = await join({ clock: faster(10) });
    const node = await raw();
    await node.dial(multiaddr(addressOf(a)));
    await until(() => stateOf(a, node.peerId.toString()) === 'alive');
    await until(() => stateOf(a, node.peerId.toString()) === 'gone');
    await until(() => node.getConnections().length === 0);
  });

  it('reaches by gossip those it is not connected to', async () => {
    const a = await join();
    const far = await raw();
    const near = await join({ from: [addressOf(a)] });
    // The raw node connects to `near` alone and listens to gossip, as a member beyond the bound of connections would.
    const heard: string[] = [];
    far.services.pubsub.addEventListener('message', ({ detail }) => {
      heard.push(detail.type === 'signed' ? detail.from.toString() : '');
    });
    far.services.pubsub.subscribe('/skein/1');
    await far.dial(multiaddr(addressOf(near)));
    const payload = Buffer.concat([idOf(1), encodeMessage(say('from far'))]);
    const got: string[] = [];
    a.onMessage((from) => got.push(from));
    await until(() => {
      void far.services.pubsub.publish('/skein/1', payload);
      return got.includes(far.peerId.toString());
    });
    expect(stateOf(a, far.peerId.toString())).toBe('alive');
    expect(new Set(got).size).toBe(got.length);
    await until(() => {
      void a.broadcast(say('to far'));
      return heard.includes(a.self);
    });
  });

  it('hears a message once, though it comes on two ways', async () => {
    const a = await join();
    const b = await join({ from: [addressOf(a)] });
    const node = await raw();
    node.services.pubsub.subscribe('/skein/1');
    await node.dial(multiaddr(addressOf(a)));
    await until(() => stateOf(a, node.peerId.toString()) === 'alive' && stateOf(b, a.self) === 'alive');
    const heard: Message[] = [];
    b.onMessage((_, message) => heard.push(message));
    const bytes = Buffer.concat([idOf(9), encodeMessage(say('once'))]);
    const stream = await node.dialProtocol(multiaddr(addressOf(b)), protocol);
    stream.send(encodeFrame('message', bytes));
    stream.send(encodeFrame('message', bytes));
    await node.services.pubsub.publish('/skein/1', bytes);
    stream.send(encodeFrame('message', Buffer.concat([idOf(10), encodeMessage(say('end'))])));
    await until(() => heard.length >= 2);
    expect(heard).toEqual([say('once'), say('end')]);
  });

  it('a frame longer than any message, or of an unknown kind, is skipped and the next one heard', async () => {
    const a = await join();
    const heard: Message[] = [];
    a.onMessage((_, message) => heard.push(message));
    const node = await raw();
    const stream = await node.dialProtocol(multiaddr(addressOf(a)), protocol);
    stream.send(encodeFrame('message', new Uint8Array(2 * maxMessageBytes)));
    stream.send(Uint8Array.of(0, 0, 0, 2, 77, 1, 2));
    stream.send(frames([encodeMessage(say('good'))]));
    await until(() => heard.length === 1);
    expect(a.counters().rejected).toBe(2);
  });

  it('a flood is dropped, and neither cuts off the flooder nor hides the others', async () => {
    const a = await join();
    const b = await join({ from: [addressOf(a)] });
    await until(() => stateOf(b, a.self) === 'alive');
    const heard: string[] = [];
    a.onMessage((from) => heard.push(from));
    const node = await raw();
    const stream = await node.dialProtocol(multiaddr(addressOf(a)), protocol);
    const flood = Array.from({ length: 2 * messageRate.burst }, (_, n) => encodeMessage(say(n)));
    stream.send(frames(flood));
    await until(() => a.counters().rejected > 0);
    await b.send(a.self, say('calm'));
    await until(() => heard.includes(b.self));
    expect(stream.status).toBe('open');
    expect(stateOf(a, node.peerId.toString())).toBe('alive');
  });

  it('survives peers that come and go in the middle of everything', async () => {
    const a = await join();
    const message = say('x'.repeat(100_000));
    for (let round = 0; round < 3; round++) {
      const b = make({ from: [addressOf(a)] });
      await b.start();
      await until(() => stateOf(a, b.self) === 'alive' && stateOf(b, a.self) === 'alive');
      const sends = Promise.allSettled(Array.from({ length: 20 }, () => a.send(b.self, message)));
      void b.broadcast(message);
      await b.stop();
      for (const outcome of await sends) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'unavailable' });
      }
    }
  });
});

/** A clock on which everything happens `factor` times as fast. */
const faster = (factor: number): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now() * factor,
  after: (ms, callback) => systemClock.after(ms / factor, callback),
  every: (ms, callback) => systemClock.every(ms / factor, callback),
});
