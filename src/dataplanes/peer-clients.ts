import { request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';
import type { ChannelCredentials } from './certificate.ts';
import { PeerAgents } from './peer-channel.ts';
import { PeerPulse } from './peer-pulse.ts';
import type { Call } from './call.ts';
import { bodyStream } from './exchange.ts';
import type { RawHeaders } from './headers.ts';

export type PeerEvents = {
  /** The peer took the call: it runs there now. */
  accepted(): void;
  head(status: number, headers: readonly string[]): void;
  data(chunk: Buffer, resume: () => void): boolean;
  end(): void;
  fail(failure: PeerFailure): void;
  /** An upgrade was granted there: the connection is handed over, with what came on it behind the head. */
  upgraded(headers: readonly string[], connection: Duplex): void;
};

export type PeerFailure =
  /** Nothing runs there: another place may be tried. */
  | 'not-taken'
  /** It fell silent after some of the body was sent: nobody knows whether it runs. */
  | 'silent'
  /** It had taken the call and broke off. */
  | 'broken';

/** What is said where nobody listens any more: calls that still run there end by themselves. */
const nobodyListens: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ECONNRESET']);

/** A peer that has its hands full may be slow to answer. */
const pulseMs = 2_000;

/** Opened to each peer before there are calls. */
const warmConnections = 8;

/** More than any peer has slots; beyond, requests wait for a connection. */
const maxConnections = 4096;

/**
 * Calls on their way to peers. A peer says that it took a call with an interim answer (102, or 100 where the body is
 * long and waits for it), before anything of it runs. So a peer that is frozen, or dies, is told from one whose
 * function takes long: no interim answer within `ackMs` means that it is not there. One that freezes after that is found out
 * by its pulse (`peer-pulse.ts`).
 */
export class PeerClients {
  readonly #ackMs: number;
  readonly #agents: PeerAgents;
  readonly #pulse = new PeerPulse({ ask: (peer) => this.#isThere(peer) });

  constructor(credentials: ChannelCredentials, ackMs: number) {
    this.#agents = new PeerAgents(credentials, { connectTimeoutMs: ackMs, maxSockets: maxConnections });
    this.#ackMs = ackMs;
  }

  send(peer: PeerPlan, call: Call, headers: RawHeaders, events: PeerEvents): void {
    const { body } = call;
    const lines = [...headers];
    if (body.kind === 'kept') lines.push('Content-Length', String(body.bytes.length));
    if (body.kind === 'stream') {
      lines.push(
        ...(body.length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', `${body.length}`]),
      );
      lines.push('Expect', '100-continue');
    }
    if (call.upgrade !== undefined) lines.push('Connection', 'Upgrade', 'Upgrade', call.upgrade.protocol);
    const request = httpsRequest({
      agent: this.#agents.of(peer),
      method: call.request.method,
      path: call.request.url,
      headers: lines,
      setDefaultHeaders: false,
    });
    this.#follow(peer, request, call, events);
    if (body.kind === 'kept') request.end(body.bytes);
    else if (body.kind === 'none') request.end();
    else request.flushHeaders();
  }

  /**
   * Opens connections to a peer that is new, so that the first calls find them: proving who one is takes longer than
   * many a function.
   */
  warm(peer: PeerPlan): void {
    if (this.#agents.has(peer.id)) return;
    const agent = this.#agents.of(peer);
    for (let opened = 0; opened < Math.min(warmConnections, peer.slots); opened += 1) {
      const request = httpsRequest({ agent, path: '/healthz', timeout: 2 * this.#ackMs });
      // A peer that is not there yet is found out by the first call.
      request.on('error', () => undefined);
      request.on('timeout', () => request.destroy());
      request.on('response', (response) => response.resume());
      request.end();
    }
  }

  /** Closes what leads to peers that left. */
  retain(ids: ReadonlySet<NodeId>): void {
    this.#agents.retain(ids);
  }

  /** Ends every connection, also those in use. */
  close(): void {
    this.#agents.destroy();
  }

  /** False when it says nothing at all. */
  #isThere(peer: PeerPlan): Promise<boolean> {
    return new Promise((resolve) => {
      const request = httpsRequest({ agent: this.#agents.of(peer), path: '/healthz' });
      const late = setTimeout(() => request.destroy(new Error('the peer is silent')), Math.max(pulseMs, this.#ackMs));
      request.on('error', ({ code }: NodeJS.ErrnoException) => {
        clearTimeout(late);
        resolve(nobodyListens.has(code));
      });
      request.on('response', (response) => {
        clearTimeout(late);
        response.resume();
        resolve(true);
      });
      request.end();
    });
  }

  #follow(peer: PeerPlan, request: ClientRequest, call: Call, events: PeerEvents): void {
    let taken = false;
    let settled = false;
    let timer: NodeJS.Timeout | undefined;
    let bodySent = false;
    let unwatch = (): void => undefined;

    const fail = (failure: PeerFailure): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      unwatch();
      request.destroy();
      events.fail(failure);
    };
    const accept = (): void => {
      if (taken || settled) return;
      taken = true;
      clearTimeout(timer);
      // It has said so; whether it is still there when the answer is long in coming must be asked.
      unwatch = this.#pulse.watch(peer, () => fail('silent'));
      events.accepted();
    };
    call.cancel = () => fail('broken');
    // The channel's own timeout covers the time until there is a socket.
    request.once('socket', () => {
      bodySent = call.body.kind === 'kept';
      timer = setTimeout(() => fail(bodySent ? 'silent' : 'not-taken'), this.#ackMs);
    });
    request.on('information', ({ statusCode }) => {
      if (statusCode === 102) accept();
    });
    request.once('continue', () => {
      accept();
      bodySent = true;
      call.begin();
      bodyStream(call.request).pipe(request);
    });
    // Without a long body's first byte nothing runs there, even where the call was taken.
    request.once('error', () => fail(taken && (bodySent || call.body.kind !== 'stream') ? 'broken' : 'not-taken'));
    if (call.upgrade !== undefined) {
      request.once('upgrade', (response, socket: Duplex, head: Buffer) => {
        clearTimeout(timer);
        unwatch();
        settled = true;
        if (head.length > 0) socket.unshift(head);
        events.upgraded(response.rawHeaders, socket);
      });
    }
    request.once('response', (response) => {
      clearTimeout(timer);
      unwatch();
      taken = true;
      this.#receive(response, events, fail, () => {
        settled = true;
      });
      if (call.body.kind === 'stream' && !bodySent) {
        // Refused before the body: the connection cannot be used again, because its request was never finished.
        response.once('end', () => request.destroy());
      }
    });
  }

  #receive(
    response: IncomingMessage,
    events: PeerEvents,
    fail: (failure: PeerFailure) => void,
    settle: () => void,
  ): void {
    response.on('data', (chunk: Buffer) => {
      if (!events.data(chunk, () => response.resume())) response.pause();
    });
    response.once('end', () => {
      settle();
      events.end();
    });
    response.once('close', () => {
      if (!response.complete) fail('broken');
    });
    response.once('error', () => fail('broken'));
    events.head(response.statusCode ?? 502, response.rawHeaders);
  }
}
