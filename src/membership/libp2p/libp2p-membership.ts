import { TopicValidatorResult, type Message as Gossip } from '@libp2p/gossipsub';
import { multiaddr } from '@multiformats/multiaddr';
import { randomBytes } from 'node:crypto';
import { messageOf, SkeinError } from '../../domain/errors.ts';
import { nodeId, type NodeId } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import type { Random } from '../../std/random.ts';
import type { Log } from '../../telemetry/log.ts';
import type { FederationKey } from '../federation-key.ts';
import type { Identity } from '../identity.ts';
import { MemberTable } from '../member-table.ts';
import type { Member, Membership } from '../membership.ts';
import { encodeMessage, type Announcement, type Message } from '../message.ts';
import { dialable, parseBootstrap, reachable } from './addresses.ts';
import { Dialer } from './dialer.ts';
import { encodeFrame, messageIdBytes } from './frames.ts';
import { Inbox } from './inbox.ts';
import { createNode, startNode, type Listen, type Node } from './node.ts';
import type { Parcel } from './outbox.ts';
import { Peers, posted } from './peers.ts';

const topic = '/skein/1';
const tickMs = 500;
/** A connection that closed may be replaced by another within this time; a peer that was killed is gone after it. */
const reconnectMs = 700;
/** Those known by gossip alone send at least every max(1 s, members × 10 ms). */
const silenceMs = 5000;
const silencePerMemberMs = 30;
const announceEveryMs = 15_000;
const stopMs = 1500;
const farewellMs = 300;

/**
 * Up to so many connected members each get a broadcast on their own stream: it arrives at once, also at those that
 * gossip does not know yet (its mesh takes a second to form). Beyond that, gossip spares the sender the n copies.
 */
const directMembers = 32;

type Needs = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly identity: Identity;
  readonly federationKey: FederationKey;
  readonly listen: Listen;
  /** `HOST:PORT` or multiaddrs of members to begin with. One's own address among them does no harm. */
  readonly bootstrap: readonly string[];
};

/** What there is between `start` and `stop`. */
type Running = { readonly node: Node; readonly peers: Peers; readonly dialer: Dialer; readonly cancel: () => void };

/**
 * Membership over libp2p: TCP, the federation's pre-shared key, Noise, Yamux. Members introduce each other until all
 * are connected (to 64 of them in large federations); gossip reaches those that are not.
 */
export class Libp2pMembership implements Membership {
  readonly self: NodeId;
  readonly #needs: Needs;
  readonly #bootstrap: readonly string[];
  readonly #table: MemberTable;
  readonly #inbox: Inbox;
  readonly #listeners = new Set<(from: NodeId, message: Message) => void>();
  readonly #closedAt = new Map<NodeId, number>();
  #announcement: Announcement | undefined;
  #running: Running | undefined;
  #sent = 0;
  #tickedAt = 0;
  #announcedAt = 0;

  /** `invalid` when a bootstrap address cannot be read. */
  constructor(needs: Needs) {
    this.#needs = needs;
    this.self = needs.identity.id;
    this.#bootstrap = needs.bootstrap.map((text) => parseBootstrap(text).toString());
    this.#table = new MemberTable({ clock: needs.clock, self: this.self });
    this.#inbox = new Inbox(needs);
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) throw new SkeinError('internal', 'this membership has started already');
    const { identity, federationKey, listen, clock } = this.#needs;
    const node = await createNode(identity, federationKey, listen);
    const peers = this.#makePeers(node);
    const dialer = this.#makeDialer(node);
    await peers.listen();
    this.#tickedAt = clock.monotonic();
    this.#running = { node, peers, dialer, cancel: clock.every(tickMs, () => this.#tick()) };
    try {
      await startNode(node, listen);
      node.services.pubsub.topicValidators.set(topic, (_, gossip) => this.#gossiped(gossip));
      node.services.pubsub.subscribe(topic);
    } catch (error) {
      await this.stop();
      throw error;
    }
    dialer.start(this.#bootstrap);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.cancel();
    running.dialer.stop();
    await this.#within(farewellMs, running.peers.leave());
    running.peers.close();
    await this.#within(stopMs, Promise.resolve(running.node.stop()));
    for (const connection of running.node.getConnections()) connection.abort(new Error('this node stops'));
    for (const { id } of this.#table.list()) this.#table.gone(id);
    this.#closedAt.clear();
  }

  addresses(): readonly string[] {
    return this.#running?.node.getMultiaddrs().map(String) ?? [];
  }

  members(): readonly Member[] {
    return this.#table.list();
  }

  onChange(listener: (members: readonly Member[]) => void): () => void {
    return this.#table.onChange((members) => this.#guarded(() => listener(members)));
  }

  announce(announcement: Announcement): void {
    encode({ kind: 'announce', announcement });
    this.#announcement = announcement;
    this.#announceToAll();
  }

  async broadcast(message: Message): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    try {
      this.#spread(running, message);
    } catch (error) {
      this.#needs.log.error({ kind: message.kind, reason: messageOf(error) }, 'a message was too large to send');
    }
  }

  async send(to: NodeId, message: Message): Promise<void> {
    const parcel = parcelOf(message, encode(message));
    const running = this.#running;
    if (running === undefined || !(await this.#reach(running, to))) {
      throw new SkeinError('unavailable', `member ${to} is not reachable now: try again when it is listed as alive`);
    }
    await posted({ post: (parcel) => running.peers.post(to, parcel) }, parcel);
    this.#sent++;
  }

  onMessage(listener: (from: NodeId, message: Message) => void): () => void {
    const guarded = (from: NodeId, message: Message): void => this.#guarded(() => listener(from, message));
    this.#listeners.add(guarded);
    return () => this.#listeners.delete(guarded);
  }

  counters(): { readonly sent: number; readonly received: number; readonly rejected: number } {
    return { sent: this.#sent, ...this.#inbox.counters() };
  }

  #makePeers(node: Node): Peers {
    const { clock, log } = this.#needs;
    return new Peers(
      { clock, log, node, self: this.self },
      {
        greeting: () => {
          const message = this.#ownAnnouncement();
          return message === undefined ? [] : [parcelOf(message, encode(message)).frame];
        },
        joined: (id) => this.#joined(id),
        left: (id, farewell) => this.#left(id, farewell),
        heard: (id) => void this.#table.heard(id),
        measured: (id, rttMs) => this.#table.measured(id, rttMs),
        introduced: (introduction) => this.#running?.dialer.learn(introduction),
        admit: (from, frame) => {
          if (frame === undefined) this.#inbox.reject();
          return this.#inbox.admit(from, frame?.payload.length ?? 0);
        },
        message: (from, payload) => void this.#take(from, payload),
      },
    );
  }

  #makeDialer(node: Node): Dialer {
    return new Dialer({
      ...this.#needs,
      self: this.self,
      dial: async (addresses) => {
        const connection = await node.dial(addresses.map((address) => multiaddr(address)));
        return nodeId(connection.remotePeer.toString());
      },
      isConnected: (id) => this.#running?.peers.has(id) ?? false,
      connections: () => this.#running?.peers.size ?? 0,
    });
  }

  #joined(id: NodeId): void {
    this.#closedAt.delete(id);
    this.#table.heard(id);
  }

  #left(id: NodeId, farewell: boolean): void {
    if (farewell) this.#table.gone(id);
    else this.#closedAt.set(id, this.#needs.clock.monotonic());
    this.#running?.dialer.lost(id);
  }

  #tick(): void {
    const running = this.#running;
    if (running === undefined) return;
    const now = this.#needs.clock.monotonic();
    // If this process stood still, the silence was its own.
    const sleptMs = Math.max(0, now - this.#tickedAt - 2 * tickMs);
    this.#tickedAt = now;
    running.peers.watch(sleptMs);
    for (const [id, closedAt] of this.#closedAt) {
      if (now - closedAt < reconnectMs) continue;
      this.#closedAt.delete(id);
      this.#table.gone(id);
    }
    const members = this.#table.list();
    const patienceMs = Math.max(silenceMs, members.length * silencePerMemberMs) + sleptMs;
    for (const { id } of members) {
      if (!running.peers.has(id) && this.#table.silentMs(id) > patienceMs) this.#table.gone(id);
    }
    this.#table.expire();
    if (now - this.#announcedAt >= announceEveryMs) this.#announceToAll();
  }

  /** Again from time to time: gossip may not have known the way the first time. */
  #announceToAll(): void {
    const running = this.#running;
    const message = this.#ownAnnouncement();
    this.#announcedAt = this.#needs.clock.monotonic();
    if (running !== undefined && message !== undefined) this.#spread(running, message);
  }

  #ownAnnouncement(): Message | undefined {
    const announcement = this.#announcement;
    if (announcement === undefined) return undefined;
    const addresses = announcement.addresses.length > 0 ? announcement.addresses : this.addresses().slice(0, 16);
    return { kind: 'announce', announcement: { ...announcement, addresses } };
  }

  #spread({ node, peers }: Running, message: Message): void {
    const bytes = encode(message);
    const parcel = parcelOf(message, bytes);
    const { pubsub } = node.services;
    const listening = new Set(pubsub.getSubscribers(topic).map(String));
    const direct = peers.size <= directMembers ? peers.ids() : peers.ids().filter((id) => !listening.has(id));
    for (const id of direct) peers.post(id, parcel);
    const all = peers.size <= directMembers && this.#table.list().every(({ id }) => peers.has(id));
    if (!all) {
      pubsub
        .publish(topic, parcel.payload)
        .catch((error: unknown) => this.#needs.log.debug({ reason: messageOf(error) }, 'gossip was not taken'));
    }
    this.#sent++;
  }

  /** Connected, if need be by dialling one that only gossip knows. */
  async #reach({ node, peers }: Running, id: NodeId): Promise<boolean> {
    const member = this.#table.get(id);
    if (peers.has(id)) return true;
    if (member?.state !== 'alive') return false;
    const addresses = dialable(id, member.announcement?.addresses ?? []);
    if (addresses.length === 0) return false;
    await node.dial(addresses.map((address) => multiaddr(address))).catch(() => undefined);
    return peers.has(id);
  }

  /** Ignored, not rejected: a rejection would be held against the honest neighbour that passed it on. */
  #gossiped(gossip: Gossip): TopicValidatorResult {
    if (gossip.type !== 'signed') return TopicValidatorResult.Ignore;
    const from = nodeId(gossip.from.toString());
    const sound = this.#inbox.admit(from, gossip.data.length) && this.#take(from, gossip.data);
    return sound ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore;
  }

  /** False when it is no message, or its sender was not let in. */
  #take(from: NodeId, payload: Uint8Array): boolean {
    const message = this.#inbox.open(from, payload);
    if (message === 'rejected') return false;
    const announcement = message !== 'repeated' && message.kind === 'announce' ? message.announcement : undefined;
    if (announcement !== undefined) return this.#announced(from, announcement);
    if (!this.#table.heard(from)) return false;
    if (message !== 'repeated') for (const listener of this.#listeners) listener(from, message);
    return true;
  }

  #announced(from: NodeId, announcement: Announcement): boolean {
    const host = this.#running?.peers.host(from);
    const addresses = dialable(from, announcement.addresses, host);
    this.#running?.dialer.learn({ id: from, addresses });
    return this.#table.heard(from, reachable(announcement, host));
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#needs.log.error({ reason: messageOf(error) }, 'a listener of the membership failed');
    }
  }

  /** Waits for `work`, but no longer than `ms`; its failure is as good as its end. */
  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#needs.clock.after(ms, late.resolve);
    await Promise.race([work.catch(() => undefined), late.promise]);
    cancel();
  }
}

const encode = (message: Message): Uint8Array => {
  try {
    return encodeMessage(message);
  } catch (error) {
    throw new SkeinError('too-large', messageOf(error), { cause: error });
  }
};

/** The same message has the same id on every way, so that it is heard once. */
const parcelOf = (message: Message, bytes: Uint8Array): Parcel & { readonly payload: Uint8Array } => {
  const payload = Buffer.concat([randomBytes(messageIdBytes), bytes]);
  const frame = encodeFrame('message', payload);
  // One that tells of some functions only says nothing of what another told of others.
  const whole = message.kind === 'status' && message.status.range === undefined;
  return { payload, frame, ...(whole && { replaces: 'status' as const }) };
};
