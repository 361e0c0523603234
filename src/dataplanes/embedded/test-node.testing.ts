import { createServer, type RequestListener, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeId } from '../../domain/ids.ts';
import { functionKey } from '../../domain/ids.ts';
import { loadOrCreateIdentity, type Identity } from '../../membership/identity.ts';
import type { FunctionPlan, PeerPlan, Plan, ReplicaPlan } from '../../routing/plan.ts';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { EmbeddedDataPlane } from './embedded-data-plane.ts';

/** A data plane of a node in a test: its process, its identity and the replicas it may use, all real. */
export class TestNode {
  readonly folder: string;
  readonly name: string;
  readonly identity: Identity;
  readonly plane: EmbeddedDataPlane;
  readonly #servers: Server[] = [];
  #version = 0;

  private constructor(folder: string, name: string, identity: Identity, peerAckMs: number) {
    this.folder = folder;
    this.name = name;
    this.identity = identity;
    this.plane = new EmbeddedDataPlane({
      folder,
      runFolder: folder,
      clock: systemClock,
      log: silentLog,
      settings: {
        gateway: { host: '127.0.0.1', port: 0 },
        peer: { host: '127.0.0.1', port: 0 },
        systemSocket: join(folder, 'system.sock'),
        peerSystemSocket: join(folder, 'peers.sock'),
        identityFile: join(folder, 'identity.pem'),
        nodeName: name,
        logLevel: 'info',
        logFormat: 'json',
        peerAckMs,
        maxHeaderBytes: 16_384,
        maxBodyBytes: 0,
      },
    });
  }

  static async start(name: string, peerAckMs = 1_000): Promise<TestNode> {
    const folder = await mkdtemp(join(tmpdir(), 'skein-plane-'));
    const node = new TestNode(folder, name, await loadOrCreateIdentity(join(folder, 'identity.pem')), peerAckMs);
    await node.plane.start();
    return node;
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get url(): string {
    const { host, port } = this.plane.address().gateway;
    return `http://${host}:${port}`;
  }

  asPeer(slots: number): PeerPlan {
    const { id, publicKeyHex: publicKey } = this.identity;
    return { id, name: this.name, address: this.plane.address().peer, publicKey, slots, rttMs: 0.1 };
  }

  /** A replica: an HTTP server of this process on a unix socket. */
  async replica(id: string, listener: RequestListener, maxInFlight = 0): Promise<ReplicaPlan> {
    const path = join(this.folder, `r-${id}`);
    await this.listen(path, listener);
    return { id, address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight };
  }

  async listen(path: string, listener: RequestListener): Promise<void> {
    const server = createServer({ keepAliveTimeout: 75_000 }, listener);
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    this.#servers.push(server);
  }

  plan(slots: number, functions: Readonly<Record<string, FunctionPlan>>, peers: readonly PeerPlan[] = []): Plan {
    this.#version += 1;
    const { id, name } = this;
    const keyed = Object.fromEntries(Object.entries(functions).map(([key, value]) => [functionKey(key), value]));
    return { version: this.#version, node: { id, name }, slots, draining: false, peers, functions: keyed };
  }

  async stop(): Promise<void> {
    await this.plane.stop(0);
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

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
