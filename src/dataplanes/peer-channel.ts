import { Agent as HttpsAgent } from 'node:https';
import type { ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';
import { publicKeyOf, type ChannelCredentials } from './certificate.ts';
import type { Dial } from './http1/dial.ts';

export type PeerEndpoint = {
  readonly host: string;
  readonly port: number;
  /** The Ed25519 key it must prove to hold, in hexadecimal. */
  readonly publicKey: string;
};

/** The key that the other side of an established channel has proven to hold; undefined when it showed none. */
export const channelKey = (socket: TLSSocket): string | undefined => {
  // Not `getPeerCertificate`: for a key on a curve without a NIST name that ends the process (Node 24).
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : publicKeyOf(certificate.raw);
};

/** What both sides insist on. Nobody signs certificates here: the key inside is compared with the one that is known. */
export const channelOptions = (credentials: ChannelCredentials) =>
  ({ ...credentials, minVersion: 'TLSv1.3', sigalgs: 'ed25519', rejectUnauthorized: false }) as const;

const unavailable = (message: string): Error => new SkeinError('unavailable', message);

/** To a peer, which proves the expected key before the connection stands. */
export const dialPeer =
  ({ host, port, publicKey }: PeerEndpoint, credentials: ChannelCredentials): Dial =>
  (settle) => {
    const socket = connect({ host, port, ...channelOptions(credentials) });
    socket.setNoDelay(true);
    socket.once('error', settle);
    socket.once('secureConnect', () => {
      const expected = channelKey(socket) === publicKey;
      settle(expected ? undefined : unavailable(`the node at ${host}:${port} is not the expected one`));
    });
    return socket;
  };

export type PeerAgentOptions = {
  /** For connecting and proving, milliseconds. */
  readonly connectTimeoutMs: number;
  readonly maxSockets: number;
};

/**
 * Kept-alive connections to one peer. A connection is handed out only after the peer proved the expected key; until
 * then not a byte of a request has left. Faults carry the code `unavailable`.
 */
export class PeerAgent extends HttpsAgent {
  readonly #endpoint: PeerEndpoint;
  readonly #credentials: ChannelCredentials;
  readonly #connectTimeoutMs: number;
  #retired = false;

  constructor(endpoint: PeerEndpoint, credentials: ChannelCredentials, options: PeerAgentOptions) {
    super({ keepAlive: true, maxSockets: options.maxSockets, maxFreeSockets: options.maxSockets, scheduling: 'lifo' });
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#connectTimeoutMs = options.connectTimeoutMs;
  }

  /** Closes what is idle now, and the rest as each request ends. */
  retire(): void {
    this.#retired = true;
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  override keepSocketAlive(stream: Duplex): void {
    if (this.#retired) stream.destroy();
    // Declared as returning nothing, but its answer is what keeps the socket.
    return super.keepSocketAlive(stream);
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port } = this.#endpoint;
    let settled = false;
    const settle = (error: Error | undefined): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (error !== undefined) socket.destroy();
      callback?.(error ?? null, socket);
    };
    const socket = dialPeer(this.#endpoint, this.#credentials)(settle);
    const timer = setTimeout(
      () => settle(unavailable(`the peer at ${host}:${port} did not answer in ${this.#connectTimeoutMs} ms`)),
      this.#connectTimeoutMs,
    );
    socket.once('close', () => settle(unavailable(`the peer at ${host}:${port} closed the connection`)));
    return undefined;
  }
}

/** The agents of all peers: one each, and a new one when a peer is found somewhere else or with another key. */
export class PeerAgents {
  readonly #credentials: ChannelCredentials;
  readonly #options: PeerAgentOptions;
  readonly #agents = new Map<NodeId, { readonly agent: PeerAgent; readonly endpoint: string }>();

  constructor(credentials: ChannelCredentials, options: PeerAgentOptions) {
    this.#credentials = credentials;
    this.#options = options;
  }

  has(id: NodeId): boolean {
    return this.#agents.has(id);
  }

  of(peer: PeerPlan): PeerAgent {
    const { host, port } = peer.address;
    const endpoint = `${host} ${port} ${peer.publicKey}`;
    const known = this.#agents.get(peer.id);
    if (known?.endpoint === endpoint) return known.agent;
    known?.agent.retire();
    const agent = new PeerAgent({ host, port, publicKey: peer.publicKey }, this.#credentials, this.#options);
    this.#agents.set(peer.id, { agent, endpoint });
    return agent;
  }

  /** Closes what leads to peers that left; requests under way keep their connections until they end. */
  retain(ids: ReadonlySet<NodeId>): void {
    for (const [id, { agent }] of this.#agents) {
      if (ids.has(id)) continue;
      this.#agents.delete(id);
      agent.retire();
    }
  }

  /** Ends every connection. */
  destroy(): void {
    for (const { agent } of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
