import { request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';
import type { ChannelCredentials } from './certificate.ts';
import { PeerAgents } from './peer-channel.ts';
import type { Call } from './call.ts';
import type { RawHeaders } from './headers.ts';

export type PeerEvents = {
  /** The peer took the call: it runs there now. */
  accepted(): void;
  head(status: number, headers: readonly string[]): void;
  data(chunk: Buffer, resume: () => void): boolean;
  end(): void;
  fail(failure: PeerFailure): void;
};

export type PeerFailure =
  /** Nothing runs there: another place may be tried. */
  | 'not-taken'
  /** It fell silent after some of the body was sent: nobody knows whether it runs. */
  | 'silent'
  /** It had taken the call and broke off. */
  | 'broken';

/** Opened to each peer before there are calls. */
const warmConnections = 8;

/** More than any peer has slots; beyond, requests wait for a connection. */
const maxConnections = 4096;

/**
 * Calls on their way to peers. A peer says that it took a call with an interim answer (102, or 100 where the body is
 * long and waits for it), before anything of it runs. So a peer that is frozen, or dies, is told from one whose
 * function takes long: no interim answer within `ackMs` means that it is not there.
 */
export class PeerClients {
  readonly #ackMs: number;
  readonly #agents: PeerAgents;

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
    const request = httpsRequest({
      agent: this.#agents.of(peer),
      method: call.request.method,
      path: call.request.url,
      headers: lines,
      setDefaultHeaders: false,
    });
    this.#follow(request, call, events);
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

  #follow(request: ClientRequest, call: Call, events: PeerEvents): void {
    let taken = false;
    let settled = false;
    let timer: NodeJS.Timeout | undefined;
    let bodySent = false;

    const fail = (failure: PeerFailure): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      request.destroy();
      events.fail(failure);
    };
    const accept = (): void => {
      if (taken || settled) return;
      taken = true;
      clearTimeout(timer);
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
      call.request.pipe(request);
    });
    // Without a long body's first byte nothing runs there, even where the call was taken.
    request.once('error', () => fail(taken && (bodySent || call.body.kind !== 'stream') ? 'broken' : 'not-taken'));
    request.once('response', (response) => {
      clearTimeout(timer);
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
