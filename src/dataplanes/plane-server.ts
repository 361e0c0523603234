import { createServer, type AddressInfo, type Server } from 'node:net';
import { cannotListen, type WantedPort } from '../domain/cannot-listen.ts';
import type { Clock } from '../std/clock.ts';
import { addressIn } from '../std/networks.ts';
import type { Random } from '../std/random.ts';
import type { OnCall } from '../telemetry/call-record.ts';
import type { Log } from '../telemetry/log.ts';
import { planeInstruments, type PlaneInstruments } from '../telemetry/plane-instruments.ts';
import type { Tracer } from '../telemetry/tracer.ts';
import type { ChannelCredentials } from './certificate.ts';
import type { Demand } from './data-plane.ts';
import type { Http1Server } from './http1/server.ts';
import { peerListener, publicListener } from './listeners.ts';
import { portPurposes } from './port-purposes.ts';
import { PeerClients } from './peer-clients.ts';
import { Plane, type PlaneNeeds } from './plane.ts';
import { ReplicaClients } from './replica-clients.ts';
import { Upstream } from './upstream.ts';

export type Ports = { readonly gatewayPort: number; readonly peerPort: number };

export type Endpoint = { readonly host: string; readonly port: number };

export type PlaneServerNeeds = {
  readonly credentials: ChannelCredentials;
  readonly gateway: Endpoint;
  readonly peer: Endpoint;
  /** The agent's own sockets: for clients, and for peers whose identity the channel proved. */
  readonly systemSocket: string;
  readonly peerSystemSocket: string;
  /** How long a peer may take to say that it took a call, milliseconds. */
  readonly peerAckMs: number;
  readonly maxHeaderBytes: number;
  /** 0 = no bound. */
  readonly maxBodyBytes: number;
  /** How long a connection that became another protocol's may be silent, milliseconds. */
  readonly upgradeIdleMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Addresses and networks of proxies whose words about clients are believed. */
  readonly trustedProxies: readonly string[];
  readonly onDemand: (demand: Demand) => void;
  /** See `PlaneNeeds`. */
  readonly shared?: PlaneNeeds['shared'];
  /** Told of each call that ended. */
  readonly onCall?: OnCall | undefined;
  readonly tracer?: Tracer | undefined;
};

const pollMs = 20;

/** The plane and its two listeners: all that carries requests, in whichever process it is. */
export class PlaneServer {
  readonly plane: Plane;
  readonly peers: PeerClients;
  readonly system: Upstream;
  readonly instruments: PlaneInstruments;
  readonly #needs: PlaneServerNeeds;
  readonly #replicas: ReplicaClients;
  readonly #peerSystem: Upstream;
  readonly #gateway: Http1Server;
  readonly #peer: Http1Server;

  constructor(needs: PlaneServerNeeds) {
    const { clock, random, log, upgradeIdleMs, onDemand, shared, onCall, tracer, credentials, peerAckMs } = needs;
    this.#needs = needs;
    this.peers = new PeerClients({ credentials, ackMs: peerAckMs, clock });
    this.instruments = planeInstruments({ inFlight: () => this.plane.busy });
    const { peers, instruments } = this;
    this.#replicas = new ReplicaClients(clock);
    const replicas = this.#replicas;
    const given = { clock, random, log, upgradeIdleMs, onDemand, shared, onCall, tracer };
    this.plane = new Plane({ replicas, peers, instruments, ...given });
    const nodeName = (): string => this.plane.plan?.node.name ?? '';
    this.system = new Upstream(needs.systemSocket, clock, nodeName);
    this.#peerSystem = new Upstream(needs.peerSystemSocket, clock, nodeName);
    const { maxHeaderBytes, maxBodyBytes } = needs;
    const isTrusted = addressIn(needs.trustedProxies);
    const bounds = { plane: this.plane, clock, maxHeaderBytes, maxBodyBytes, isTrusted };
    this.#gateway = publicListener({ ...bounds, upstream: this.system });
    this.#peer = peerListener({ ...bounds, upstream: this.#peerSystem }, credentials);
  }

  /**
   * Ports as bound. `together`: those that other threads of this process listen on as well; each connection comes to one of them. Faults
   * are those of `cannotListen`.
   */
  async listen(together?: Ports): Promise<Ports> {
    const { gateway, peer } = this.#needs;
    const reusePort = together !== undefined;
    const gatewayAt = { ...gateway, ...portPurposes.gateway, ...(together && { port: together.gatewayPort }) };
    const peerAt = { ...peer, ...portPurposes.peer, ...(together && { port: together.peerPort }) };
    const gatewayPort = await listen(this.#gateway.sockets, { ...gatewayAt, reusePort });
    const peerPort = await listen(this.#peer.sockets, { ...peerAt, reusePort });
    return { gatewayPort, peerPort };
  }

  /** Takes no more connections and no more calls, and resolves when those that run have been answered, or after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    const { clock } = this.#needs;
    this.plane.drain();
    for (const server of [this.#gateway, this.#peer]) server.drain();
    const end = clock.monotonic() + drainMs;
    await new Promise<void>((resolve) => {
      const cancel = clock.every(pollMs, () => {
        if (this.plane.open > 0 && clock.monotonic() < end) return;
        cancel();
        resolve();
      });
    });
  }

  /** Ends every connection; what runs breaks off. */
  close(): void {
    for (const server of [this.#gateway, this.#peer]) server.close();
    this.peers.close();
    this.#replicas.close();
    this.system.close();
    this.#peerSystem.close();
    this.plane.close();
  }
}

/**
 * Two free ports, or those that are wanted: nobody else listens on them now. Faults are those of `cannotListen`. To be taken at once:
 * ports that are shared would be given to another program that shares as well.
 */
export const unusedPorts = async ({ gateway, peer }: Pick<PlaneServerNeeds, 'gateway' | 'peer'>): Promise<Ports> => {
  const sockets = [createServer(), createServer()] as const;
  try {
    const gatewayPort = await listen(sockets[0], { ...gateway, ...portPurposes.gateway });
    const peerPort = await listen(sockets[1], { ...peer, ...portPurposes.peer });
    return { gatewayPort, peerPort };
  } finally {
    for (const socket of sockets) socket.close();
  }
};

type Wanted = Endpoint & WantedPort & { readonly reusePort?: boolean };

const listen = (sockets: Server, { host, reusePort = false, ...wanted }: Wanted): Promise<number> =>
  new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(cannotListen(host, wanted, cause));
    sockets.once('error', fail);
    // Deep enough for a burst of new connections while this process has its hands full.
    sockets.listen({ host, port: wanted.port, backlog: 2048, reusePort }, () => {
      sockets.off('error', fail);
      resolve((sockets.address() as AddressInfo).port);
    });
  });
