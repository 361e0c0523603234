import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { randomBytes } from 'node:crypto';
import { SkeinError } from '../../domain/errors.ts';
import { nodeId, type NodeId } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { dialable, hostOf } from './addresses.ts';
import { encodeFrame, FrameReader, type Frame } from './frames.ts';
import { decodeIntroductions, encodeIntroductions, type Introduction } from './introductions.ts';
import { Link } from './link.ts';
import type { Node } from './node.ts';
import type { Parcel } from './outbox.ts';

export const protocol = '/skein/message/1';

const pingEveryMs = 2000;
/** A peer that has answered nothing for so long is frozen or cut off. */
const silenceMs = 5000;
const maxStreams = 8;

type Needs = { readonly clock: Clock; readonly log: Log; readonly node: Node; readonly self: NodeId };

type Events = {
  /** Frames to begin every stream with. */
  readonly greeting: () => readonly Uint8Array[];
  readonly joined: (id: NodeId) => void;
  /** `farewell`: it said that it leaves. */
  readonly left: (id: NodeId, farewell: boolean) => void;
  readonly heard: (id: NodeId) => void;
  readonly measured: (id: NodeId, rttMs: number) => void;
  readonly introduced: (introduction: Introduction) => void;
  /** Undefined stands for something that was no frame. */
  readonly admit: (from: NodeId, frame: Frame | undefined) => boolean;
  readonly message: (from: NodeId, payload: Uint8Array) => void;
};

type Peer = {
  readonly id: NodeId;
  readonly link: Link;
  /** Where it is seen. */
  readonly host: string | undefined;
  addresses: readonly string[];
  heardAt: number;
  pingAt: number;
  ping: { readonly token: Uint8Array; sentAt?: number } | undefined;
  leaving: boolean;
};

/** The members this node is connected to: what is said on each one's stream, and whether it still answers. */
export class Peers {
  readonly #needs: Needs;
  readonly #events: Events;
  readonly #peers = new Map<NodeId, Peer>();

  constructor(needs: Needs, events: Events) {
    this.#needs = needs;
    this.#events = events;
  }

  /** Before the node starts, so that no connection is missed. */
  async listen(): Promise<void> {
    const { node } = this.#needs;
    const limits = { maxInboundStreams: maxStreams, maxOutboundStreams: maxStreams };
    await node.handle(protocol, (stream, connection) => this.#read(stream, connection), limits);
    node.addEventListener('peer:connect', (event) => this.#connected(event.detail));
    node.addEventListener('peer:disconnect', (event) => this.#disconnected(event.detail));
  }

  ids(): readonly NodeId[] {
    return [...this.#peers.keys()];
  }

  has(id: NodeId): boolean {
    return this.#peers.has(id);
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Where a peer is seen. */
  host(id: NodeId): string | undefined {
    return this.#peers.get(id)?.host;
  }

  /** False when it is not connected, or does not keep up. */
  post(to: NodeId, parcel: Parcel): boolean {
    return this.#peers.get(to)?.link.post(parcel) ?? false;
  }

  /** Asks who has been quiet, and hangs up on who does not answer. `sleptMs`: how long this node itself stood still. */
  watch(sleptMs: number): void {
    const now = this.#needs.clock.monotonic();
    for (const peer of this.#peers.values()) {
      peer.heardAt += sleptMs;
      if (now - peer.heardAt > silenceMs) this.#hangUp(peer);
      else if (now >= peer.pingAt) this.#ping(peer);
    }
  }

  /** Says goodbye; resolves when that is written or dropped. */
  async leave(): Promise<void> {
    const frame = encodeFrame('bye', new Uint8Array());
    const posts = [...this.#peers.values()].map((peer) => posted(peer.link, { frame }));
    await Promise.allSettled(posts);
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.link.close();
    this.#peers.clear();
  }

  #connected(peerId: PeerId): Peer | undefined {
    const id = nodeId(peerId.toString());
    const known = this.#peers.get(id);
    const [connection] = this.#needs.node.getConnections(peerId);
    if (known !== undefined || connection === undefined) return known;
    const { clock, log } = this.#needs;
    const link = new Link({ clock, log, open: () => this.#open(peerId), greeting: () => this.#greeting() });
    const host = hostOf(connection.remoteAddr);
    const now = clock.monotonic();
    const peer: Peer = { id, link, host, addresses: [], heardAt: now, pingAt: now, ping: undefined, leaving: false };
    this.#peers.set(id, peer);
    this.#events.joined(id);
    this.#ping(peer);
    return peer;
  }

  #disconnected(peerId: PeerId): void {
    const id = nodeId(peerId.toString());
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    peer.link.close();
    this.#events.left(id, peer.leaving);
  }

  async #open(peerId: PeerId): Promise<Stream> {
    const connection = this.#needs.node.getConnections(peerId).findLast(({ status }) => status === 'open');
    if (connection === undefined) throw new SkeinError('unavailable', 'the connection is closed');
    return connection.newStream(protocol, { maxOutboundStreams: maxStreams });
  }

  #greeting(): readonly Uint8Array[] {
    return [encodeFrame('peers', encodeIntroductions(this.#introductions())), ...this.#events.greeting()];
  }

  /** This node first, then those it is connected to. */
  #introductions(): readonly Introduction[] {
    const { node, self } = this.#needs;
    const own = { id: self, addresses: node.getMultiaddrs().map(String).slice(0, 8) };
    return [own, ...[...this.#peers.values()].filter(({ addresses }) => addresses.length > 0).map(introductionOf)];
  }

  #read(stream: Stream, connection: Connection): void {
    const id = nodeId(connection.remotePeer.toString());
    const reader = new FrameReader((frame) => {
      const peer = this.#peers.get(id) ?? this.#connected(connection.remotePeer);
      if (peer !== undefined && this.#events.admit(id, frame) && frame !== undefined) this.#take(peer, frame);
    });
    stream.addEventListener('message', (event) => reader.push(event.data.subarray()));
    stream.addEventListener('remoteCloseWrite', () => void stream.close().catch((error) => stream.abort(error)));
  }

  #take(peer: Peer, { kind, payload }: Frame): void {
    peer.heardAt = this.#needs.clock.monotonic();
    if (peer.leaving) return;
    if (kind !== 'bye') this.#events.heard(peer.id);
    switch (kind) {
      case 'message':
        return this.#events.message(peer.id, payload);
      case 'ping':
        if (payload.length === 8) peer.link.post({ frame: encodeFrame('pong', payload) });
        return;
      case 'pong':
        return this.#pong(peer, payload);
      case 'peers':
        return this.#introduced(peer, decodeIntroductions(payload) ?? []);
      case 'bye':
        peer.leaving = true;
        return;
    }
  }

  #introduced(peer: Peer, introductions: readonly Introduction[]): void {
    for (const { id, addresses } of introductions) {
      if (id === peer.id) this.#placed(peer, dialable(id, addresses, peer.host));
      else if (!this.#peers.has(id)) this.#events.introduced({ id, addresses: dialable(id, addresses) });
    }
  }

  /** It said where it listens: those that came before it are told, as it was told of them. */
  #placed(peer: Peer, addresses: readonly string[]): void {
    if (addresses.length === 0 || addresses.join() === peer.addresses.join()) return;
    peer.addresses = addresses;
    this.#events.introduced(introductionOf(peer));
    const frame = encodeFrame('peers', encodeIntroductions([introductionOf(peer)]));
    for (const other of this.#peers.values()) if (other !== peer) other.link.post({ frame });
  }

  #ping(peer: Peer): void {
    const ping: Peer['ping'] = { token: randomBytes(8) };
    peer.ping = ping;
    peer.pingAt = this.#needs.clock.monotonic() + pingEveryMs;
    const done = (): void => {
      ping.sentAt = this.#needs.clock.monotonic();
    };
    peer.link.post({ frame: encodeFrame('ping', ping.token), replaces: 'ping', done });
  }

  #pong(peer: Peer, payload: Uint8Array): void {
    if (peer.ping?.sentAt === undefined || !Buffer.from(payload).equals(peer.ping.token)) return;
    this.#events.measured(peer.id, this.#needs.clock.monotonic() - peer.ping.sentAt);
    peer.ping = undefined;
  }

  #hangUp(peer: Peer): void {
    this.#needs.log.info({ peer: peer.id }, 'peer does not answer');
    peer.leaving = true;
    const connections = this.#needs.node.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer.id);
    for (const connection of connections) connection.abort(new Error('the peer does not answer'));
  }
}

const introductionOf = ({ id, addresses }: Introduction): Introduction => ({ id, addresses });

/** Resolves when it is written; `unavailable` when it was dropped. */
export const posted = (way: { post(parcel: Parcel): boolean }, parcel: Parcel): Promise<void> =>
  new Promise((resolve, reject) => {
    const drop = (): void => reject(new SkeinError('unavailable', 'the member went away or does not keep up'));
    const accepted = way.post({ ...parcel, done: (written) => (written ? resolve() : drop()) });
    if (!accepted) drop();
  });
