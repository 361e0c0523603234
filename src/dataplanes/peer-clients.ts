import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import { Deadlines } from '../std/deadlines.ts';
import type { Call } from './call.ts';
import type { ChannelCredentials } from './certificate.ts';
import type { RawHeaders } from './headers.ts';
import { Http1Client } from './http1/client.ts';
import { KeptClients } from './kept-clients.ts';
import { dialPeer } from './peer-channel.ts';
import { PeerPulse } from './peer-pulse.ts';
import { PeerSend, type PeerEvents } from './peer-send.ts';

export type PeerClientsNeeds = {
  readonly credentials: ChannelCredentials;
  /** How long a peer may take to say that it took a call, and to prove who it is, milliseconds. */
  readonly ackMs: number;
  readonly clock: Clock;
};

/** A peer that has its hands full may be slow to answer. */
const pulseMs = 2_000;

/** Opened to each peer before there are calls. */
const warmConnections = 8;

const limits = {
  maxHeadBytes: 64 * 1024,
  maxHeaders: 1_000,
  // More than any peer has slots; beyond, requests wait for a connection.
  maxConnections: 4_096,
  maxWaiting: 65_536,
  // Less than a peer waits for the first head on a connection.
  idleTimeoutMs: 50_000,
} as const;

/**
 * Calls on their way to peers. A peer says that it took a call with an interim answer (102, or 100 where the body is
 * long and waits for it), before anything of it runs. So a peer that is frozen, or dies, is told from one whose
 * function takes long: no interim answer within `ackMs` means that it is not there. One that freezes after that is found out
 * by its pulse (`peer-pulse.ts`).
 */
export class PeerClients {
  readonly #needs: PeerClientsNeeds;
  readonly #clients = new KeptClients();
  readonly #pulse = new PeerPulse({ ask: (peer) => this.#isThere(peer) });

  readonly #deadlines: Deadlines<PeerSend>;

  constructor(needs: PeerClientsNeeds) {
    this.#needs = needs;
    this.#deadlines = new Deadlines(needs.clock, (sending) => sending.late());
  }

  send(peer: PeerPlan, call: Call, headers: RawHeaders, events: PeerEvents): void {
    const { ackMs, clock } = this.#needs;
    const needs = { client: this.#client(peer), pulse: this.#pulse, ackMs, clock, deadlines: this.#deadlines };
    const sending = new PeerSend(needs, peer, call, events);
    call.carrier = sending;
    sending.start(headers);
  }

  /**
   * Opens connections to a peer that is new, so that the first calls find them: proving who one is takes longer than
   * many a function. One that is not there yet is found out by the first call.
   */
  warm(peer: PeerPlan): void {
    if (!this.#clients.has(peer.id)) this.#client(peer).warm(Math.min(warmConnections, peer.slots));
  }

  /** Closes what leads to peers that left; requests under way keep their connections until they end. */
  retain(ids: ReadonlySet<NodeId>): void {
    this.#clients.retain(ids);
  }

  /** Ends every connection, also those in use. */
  close(): void {
    this.#clients.close();
    this.#deadlines.close();
  }

  /** A new one when a peer is found somewhere else or with another key. */
  #client(peer: PeerPlan): Http1Client {
    const { host, port } = peer.address;
    const { credentials, ackMs, clock } = this.#needs;
    return this.#clients.at(peer.id, `${host} ${port} ${peer.publicKey}`, () => {
      const dial = dialPeer({ host, port, publicKey: peer.publicKey }, credentials);
      return new Http1Client(dial, { ...limits, connectTimeoutMs: ackMs }, clock);
    });
  }

  /** False when it says nothing at all. Where nobody listens any more, calls that still run there end by themselves. */
  #isThere(peer: PeerPlan): Promise<boolean> {
    return new Promise((resolve) => {
      let late = false;
      const timer = setTimeout(
        () => {
          late = true;
          asked.cancel(new Error('the peer is silent'));
        },
        Math.max(pulseMs, this.#needs.ackMs),
      );
      const settle = (answers: boolean): void => {
        clearTimeout(timer);
        resolve(answers);
      };
      const asked = this.#client(peer).request(
        { method: 'GET', target: '/healthz', headers: [], body: { kind: 'none' } },
        {
          head: () => settle(true),
          data: () => true,
          end: () => undefined,
          fail: (error: NodeJS.ErrnoException, sent) => settle(!late && (sent || nobodyListens.has(error.code))),
        },
      );
    });
  }
}

const nobodyListens: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ECONNRESET']);
