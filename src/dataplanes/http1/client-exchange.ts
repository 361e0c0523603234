import type { Duplex } from 'node:stream';
import type { Incoming } from '../exchange.ts';

/** What is to be asked of a server. */
export type ClientRequest = {
  readonly method: string;
  readonly target: string;
  /** Name and value in turn. Framing and what concerns the connection are left out and written anew. */
  readonly headers: readonly string[];
  readonly body: ClientBody;
  /** Asks for another protocol: the value of `Upgrade`. */
  readonly upgrade?: string | undefined;
};

/** A body that comes from somewhere else; a stream of Node's is one, too. */
export type BodySource = Pick<Incoming, 'complete' | 'on' | 'once' | 'pause' | 'resume'>;

export type ClientBody =
  | { readonly kind: 'none' }
  /** Goes out with the head. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** Read as fast as the server takes it; sent in chunks where no length is known. */
  | { readonly kind: 'stream'; readonly source: BodySource; readonly length?: number | undefined }
  /** The server is asked for leave (`Expect: 100-continue`); `ClientExchange.send` begins the body. */
  | { readonly kind: 'later'; readonly length?: number | undefined };

/** What becomes of a request: one of `end`, `fail` and `upgraded` comes last, once. */
export interface ClientEvents {
  /** The request is on its way, on a connection that stands. */
  sent?(): void;
  /** An interim answer: 100, 102, 103. */
  interim?(status: number): void;
  head(status: number, headers: string[]): void;
  /** False asks for a pause; call `resume` to go on. */
  data(chunk: Buffer, resume: () => void): boolean;
  end(): void;
  /** `sent` is false where no server can have seen any of the request. */
  fail(error: Error, sent: boolean): void;
  /** 101: the connection is given away, paused, with what came on it behind the head. */
  upgraded?(headers: string[], connection: Duplex): void;
}

/** Whatever carries an exchange: a connection, or the queue for one. */
export interface Carrier {
  cancel(exchange: ClientExchange, why: Error): void;
  send(exchange: ClientExchange, source: BodySource): void;
  resume(exchange: ClientExchange): void;
}

/** A request under way. */
export class ClientExchange {
  readonly request: ClientRequest;
  readonly events: ClientEvents;
  /** As it goes on the wire. */
  readonly head: string;
  /** Undefined once it is over. */
  carrier: Carrier | undefined;

  constructor(request: ClientRequest, head: string, events: ClientEvents, carrier: Carrier) {
    this.request = request;
    this.head = head;
    this.events = events;
    this.carrier = carrier;
  }

  readonly resume = (): void => this.carrier?.resume(this);

  /** Sends the body of a request whose body was to come later. */
  send(source: BodySource): void {
    this.carrier?.send(this, source);
  }

  /** Gives it up: `fail` is called with `why`, and a connection in use is closed. Does nothing once it is over. */
  cancel(why: Error): void {
    this.carrier?.cancel(this, why);
  }

  fail(error: Error, sent: boolean): void {
    if (this.carrier === undefined) return;
    this.carrier = undefined;
    this.events.fail(error, sent);
  }
}
