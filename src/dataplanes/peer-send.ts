import type { Duplex } from 'node:stream';
import type { PeerPlan } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Deadlines, Timed } from '../std/deadlines.ts';
import type { Call } from './call.ts';
import type { RawHeaders } from './headers.ts';
import type { ClientBody, ClientEvents, ClientExchange } from './http1/client-exchange.ts';
import type { Http1Client } from './http1/client.ts';
import type { PeerPulse } from './peer-pulse.ts';

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

export type PeerSendNeeds = {
  readonly client: Http1Client;
  readonly pulse: PeerPulse;
  readonly ackMs: number;
  readonly clock: Clock;
  /** Of those that wait for the peer's word. */
  readonly deadlines: Deadlines<PeerSend>;
};

/** One call on its way to a peer, from the moment it is handed over until it ends there. */
export class PeerSend implements ClientEvents, Timed {
  /** When the peer must have said that it took the call. */
  endsAt = 0;
  place = -1;
  readonly #needs: PeerSendNeeds;
  readonly #peer: PeerPlan;
  readonly #call: Call;
  readonly #events: PeerEvents;
  #exchange: ClientExchange | undefined;
  #taken = false;
  #answering = false;
  #settled = false;
  #bodySent: boolean;

  constructor(needs: PeerSendNeeds, peer: PeerPlan, call: Call, events: PeerEvents) {
    this.#needs = needs;
    this.#peer = peer;
    this.#call = call;
    this.#events = events;
    this.#bodySent = call.body.kind === 'kept';
  }

  start(headers: RawHeaders): void {
    const { request, upgrade } = this.#call;
    this.#exchange = this.#needs.client.request(
      {
        method: request.method,
        target: request.url,
        headers,
        body: bodyOf(this.#call),
        upgrade: upgrade?.protocol,
      },
      this,
    );
  }

  cancel(): void {
    this.#fail('broken');
  }

  /** It had taken the call, and is frozen. */
  silent(): void {
    this.#fail('silent');
  }

  /** The client's own bound covers the time until there is a connection. */
  sent(): void {
    const { clock, ackMs, deadlines } = this.#needs;
    this.endsAt = clock.monotonic() + ackMs;
    deadlines.add(this);
  }

  /** It did not say so in time. */
  late(): void {
    this.#fail(this.#bodySent ? 'silent' : 'not-taken');
  }

  interim(status: number): void {
    // 103 is the word of a peer with HAProxy, which cannot say 102.
    if (status === 102 || status === 103 || status === 100) this.#accept();
    if (status !== 100 || this.#bodySent || this.#settled || this.#call.body.kind !== 'stream') return;
    this.#bodySent = true;
    this.#call.begin();
    this.#exchange?.send(this.#call.request);
  }

  head(status: number, headers: string[]): void {
    this.#heard();
    this.#answering = true;
    this.#events.head(status, headers);
  }

  data(chunk: Buffer, resume: () => void): boolean {
    return this.#events.data(chunk, resume);
  }

  end(): void {
    this.#settled = true;
    this.#events.end();
  }

  fail(): void {
    // Without a long body's first byte nothing runs there, even where the call was taken.
    const begun = this.#taken && (this.#bodySent || this.#call.body.kind !== 'stream');
    this.#fail(this.#answering || begun ? 'broken' : 'not-taken');
  }

  upgraded(headers: string[], connection: Duplex): void {
    this.#heard();
    this.#settled = true;
    this.#events.upgraded(headers, connection);
  }

  #accept(): void {
    if (this.#taken || this.#settled) return;
    this.#taken = true;
    this.#needs.deadlines.remove(this);
    // It has said so; whether it is still there when the answer is long in coming must be asked.
    this.#needs.pulse.watch(this.#peer, this);
    this.#events.accepted();
  }

  /** Nothing is waited for any more. */
  #heard(): void {
    this.#needs.deadlines.remove(this);
    this.#needs.pulse.unwatch(this.#peer, this);
  }

  #fail(failure: PeerFailure): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#heard();
    this.#exchange?.cancel(new Error(failure));
    this.#events.fail(failure);
  }
}

/** A long body is not sent before the peer has taken the call. */
const bodyOf = ({ body }: Call): ClientBody => {
  switch (body.kind) {
    case 'none':
      return body;
    case 'kept':
      return { kind: 'bytes', bytes: body.bytes };
    case 'stream':
      return { kind: 'later', length: body.length };
  }
};
