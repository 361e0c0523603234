import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSocketServer, type Server as SocketServer, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeId } from '../domain/ids.ts';
import { functionKey } from '../domain/ids.ts';
import { loadOrCreateIdentity, type Identity } from '../membership/identity.ts';
import type { FunctionPlan, PeerPlan, Plan, ReplicaPlan } from '../routing/plan.ts';
import { nothingObserved, type DataPlane, type FunctionObservation } from './data-plane.ts';

export type PlaneFacts = {
  /** Of Skein. */
  readonly version: string;
  readonly folder: string;
  readonly name: string;
  readonly identity: Identity;
  readonly peerAckMs: number;
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly upgradeIdleMs: number;
  readonly trustedProxies: readonly string[];
  /** Whether calls are written down in `access.log` of the folder. */
  readonly accessLog: boolean;
};

export type OpenPlane = (facts: PlaneFacts) => Promise<DataPlane>;

/** A data plane of a node in a test: its identity and the replicas it may use, all real. */
export class TestNode<Kind extends DataPlane = DataPlane> {
  readonly facts: PlaneFacts;
  readonly plane: Kind;
  readonly #servers: (Server | SocketServer)[] = [];
  readonly #sockets = new Set<Socket>();
  #version = 0;

  private constructor(facts: PlaneFacts, plane: Kind) {
    this.facts = facts;
    this.plane = plane;
  }

  static async start<Kind extends DataPlane>(
    name: string,
    open: (facts: PlaneFacts) => Promise<Kind>,
    changes: Partial<PlaneFacts> = {},
  ): Promise<TestNode<Kind>> {
    const folder = await mkdtemp(join(tmpdir(), 'skein-plane-'));
    const identity = await loadOrCreateIdentity(join(folder, 'identity.pem'));
    const bounds = {
      version: '1.0.0',
      peerAckMs: 5_000,
      maxHeaderBytes: 16_384,
      maxBodyBytes: 0,
      upgradeIdleMs: 60_000,
      trustedProxies: [],
      accessLog: false,
    };
    const facts = { folder, name, identity, ...bounds, ...changes };
    const node = new TestNode(facts, await open(facts));
    await node.plane.start();
    return node;
  }

  get id(): NodeId {
    return this.facts.identity.id;
  }

  get port(): number {
    return this.plane.address().gateway.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  asPeer(slots: number): PeerPlan {
    const { id, publicKeyHex: publicKey } = this.facts.identity;
    return { id, name: this.facts.name, address: this.plane.address().peer, publicKey, slots, rttMs: 0.1 };
  }

  /** A replica: an HTTP server of this process on a unix socket. */
  async replica(id: string, listener: RequestListener, maxInFlight = 0): Promise<ReplicaPlan> {
    const path = join(this.facts.folder, `r-${id}`);
    await this.listen(path, listener);
    return { id, address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight };
  }

  /** A replica that need not speak HTTP. */
  async rawReplica(id: string, listener: (socket: Socket) => void): Promise<ReplicaPlan> {
    const path = join(this.facts.folder, `r-${id}`);
    const server = createSocketServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      listener(socket);
    });
    await listening(server, path);
    this.#servers.push(server);
    return { id, address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight: 0 };
  }

  /** A replica where nobody listens. */
  goneReplica(id: string): ReplicaPlan {
    return {
      id,
      address: { kind: 'unix', path: join(this.facts.folder, `r-${id}`) },
      version: '1',
      weight: 1,
      maxInFlight: 0,
    };
  }

  async listen(path: string, listener: RequestListener): Promise<void> {
    const server = createServer({ keepAliveTimeout: 75_000 }, listener);
    await listening(server, path);
    this.#servers.push(server);
  }

  plan(slots: number, functions: Readonly<Record<string, FunctionPlan>>, peers: readonly PeerPlan[] = []): Plan {
    this.#version += 1;
    const keyed = Object.fromEntries(Object.entries(functions).map(([key, value]) => [functionKey(key), value]));
    const node = { id: this.id, name: this.facts.name };
    return { version: this.#version, node, slots, draining: false, peers, functions: keyed };
  }

  /** Makes a plan and puts it in force. */
  async apply(
    slots: number,
    functions: Readonly<Record<string, FunctionPlan>>,
    peers: readonly PeerPlan[] = [],
  ): Promise<void> {
    await this.plane.apply(this.plan(slots, functions, peers));
  }

  async observed(name: string): Promise<FunctionObservation> {
    return (await this.plane.observe()).functions[functionKey(name)] ?? nothingObserved;
  }

  async stop(): Promise<void> {
    await this.plane.stop(0);
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
    }
    await rm(this.facts.folder, { recursive: true, force: true });
  }
}

const listening = (server: Server | SocketServer, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });

/** A function that keeps to this node unless `changes` say otherwise. */
export const functionPlan = (replicas: readonly ReplicaPlan[], changes: Partial<FunctionPlan> = {}): FunctionPlan => ({
  policy: 'least-loaded',
  local: { weight: 1 },
  peers: [],
  rejectShare: 0,
  admission: { peers: {} },
  replicas,
  canStart: false,
  maxInFlight: 0,
  maxRate: 0,
  queueMs: 1_000,
  timeoutMs: 20_000,
  hops: 1,
  ...changes,
});
