import type { Socket } from 'node:net';
import { bodyReader } from './body.ts';
import type { BodyReader } from './body-reader.ts';
import type { BodyWriter } from './body-writer.ts';
import type { BodySource, Carrier, ClientExchange } from './client-exchange.ts';
import { bad, Fault, more } from './fault.ts';
import { readAnswerHead, type AnswerHead } from './head.ts';
import { LineScanner, type LineBounds } from './line-scanner.ts';
import { writeRequest } from './request-writer.ts';

export interface ConnectionOwner {
  readonly headBounds: LineBounds;
  /** It may take another request; the server closes it after `keptMs` of silence, where it says so. */
  free(connection: ClientConnection, keptMs: number | undefined): void;
  gone(connection: ClientConnection): void;
}

/** Interim answers to one request; a server that sends more never means to answer. */
const maxInterim = 32;

/** A connection to a server: one request at a time. It is used again only where both sides are at a message's end. */
export class ClientConnection implements Carrier {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #scanner: LineScanner;
  #exchange: ClientExchange | undefined;
  #head: AnswerHead | undefined;
  #reader: BodyReader | undefined;
  #writer: BodyWriter | undefined;
  #source: BodySource | undefined;
  /** The request is written to its end. */
  #asked = true;
  #interim = 0;
  #paused = false;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket;
    this.#owner = owner;
    this.#scanner = new LineScanner(owner.headBounds, false);
    socket.on('data', this.#take);
    socket.on('drain', this.#drain);
    socket.on('end', this.#serverEnded);
    socket.on('error', this.#break);
    socket.on('close', this.#closed);
  }

  /** Puts a request on this connection, which must be free. */
  start(exchange: ClientExchange): void {
    const { body } = exchange.request;
    this.#exchange = exchange;
    exchange.carrier = this;
    this.#interim = 0;
    this.#asked = body.kind === 'none' || body.kind === 'bytes';
    this.#writer = writeRequest(this.socket, exchange.head, body, this.#onSent);
    exchange.events.sent?.();
    if (body.kind === 'stream') this.send(exchange, body.source);
  }

  /** A request under way fails. */
  close(): void {
    this.#break(new Error('the connection was closed'));
  }

  send(exchange: ClientExchange, source: BodySource): void {
    const writer = this.#writer;
    if (exchange !== this.#exchange || writer === undefined || this.#source !== undefined) return;
    this.#source = source;
    const isOver = (): boolean => this.#exchange !== exchange;
    source.on('data', (chunk) => {
      if (!isOver() && !writer.write(chunk)) source.pause();
    });
    source.once('end', () => {
      if (!isOver() && !writer.end()) this.#break(new Error('the body was shorter than announced'));
    });
    source.once('close', () => {
      if (!isOver() && !source.complete) this.#break(new Error('the sender of the body left in the middle of it'));
    });
  }

  cancel(_exchange: ClientExchange, why: Error): void {
    this.#break(why);
  }

  resume(_exchange: ClientExchange): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  readonly #onSent = (error?: Error | null): void => {
    if (!error) this.#asked = true;
  };

  readonly #drain = (): void => void this.#source?.resume();

  readonly #take = (chunk: Buffer): void => {
    let at = 0;
    while (at < chunk.length) {
      // More than one answer, or one that nobody asked for.
      if (this.#exchange === undefined) return this.#break(new Error('the server sent what nobody asked for'));
      at = this.#reader === undefined ? this.#readHead(chunk, at) : this.#readBody(this.#reader, chunk, at);
      if (at < 0) return;
    }
  };

  #readHead(chunk: Buffer, from: number): number {
    const exchange = this.#exchange as ClientExchange;
    const end = this.#scanner.feed(chunk, from);
    if (end === more) return more;
    const head = end === bad ? (this.#scanner.fault as Fault) : readAnswerHead(this.#scanner, exchange.request.method);
    this.#scanner.reset();
    if (head instanceof Fault) return this.#reject(head);
    if (head.status < 200) return this.#readInterim(exchange, head, chunk, end);
    this.#head = head;
    this.#reader = bodyReader(head.framing);
    exchange.events.head(head.status, head.headers);
    if (this.#reader === undefined) this.#finish(end === chunk.length);
    return end;
  }

  #readInterim({ request, events }: ClientExchange, head: AnswerHead, chunk: Buffer, end: number): number {
    if (head.status === 101) {
      if (request.upgrade === undefined || events.upgraded === undefined) {
        return this.#reject(new Fault(502, 'The server changed the protocol unasked.'));
      }
      this.#release(chunk.subarray(end));
      events.upgraded(head.headers, this.socket);
      return more;
    }
    this.#interim += 1;
    if (this.#interim > maxInterim) return this.#reject(new Fault(502, 'The server gives interim answers only.'));
    events.interim?.(head.status);
    return end;
  }

  #readBody(reader: BodyReader, chunk: Buffer, from: number): number {
    const end = reader.feed(chunk, from, this.#deliver);
    if (end === bad) return this.#reject(reader.fault as Fault);
    if (reader.done) this.#finish(end === chunk.length);
    return end;
  }

  readonly #deliver = (content: Buffer): void => {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.events.data(content, exchange.resume) || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  };

  /** The answer is whole. `clean`: nothing came behind it. */
  #finish(clean: boolean): void {
    const exchange = this.#exchange;
    const head = this.#head;
    // It may have been given up while its last part was handed on.
    if (exchange === undefined || head === undefined) return;
    const reusable = clean && this.#asked && head.keepAlive && !this.socket.destroyed;
    this.#clear();
    exchange.carrier = undefined;
    if (reusable) {
      this.#owner.free(this, head.keepAliveSeconds === undefined ? undefined : 1000 * head.keepAliveSeconds);
    } else this.#break(new Error('the connection cannot be used again'));
    exchange.events.end();
  }

  readonly #serverEnded = (): void => {
    if (this.#head?.framing.kind === 'until-close') this.#finish(false);
    else this.#closed();
  };

  readonly #closed = (): void => this.#break(new Error('the server closed the connection before its answer was whole'));

  #reject({ sentence }: Fault): number {
    this.#break(new Error(`the answer is no HTTP that can be trusted: ${sentence}`));
    return bad;
  }

  readonly #break = (why: Error): void => {
    const exchange = this.#exchange;
    this.#clear();
    this.socket.destroy();
    this.#owner.gone(this);
    exchange?.fail(why, true);
  };

  #clear(): void {
    this.#exchange = undefined;
    this.#head = undefined;
    this.#reader = undefined;
    this.#writer = undefined;
    this.#source = undefined;
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  #release(rest: Buffer): void {
    const { socket } = this;
    (this.#exchange as ClientExchange).carrier = undefined;
    this.#exchange = undefined;
    socket.off('data', this.#take).off('drain', this.#drain).off('end', this.#serverEnded);
    socket.off('error', this.#break).off('close', this.#closed);
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    this.#owner.gone(this);
  }
}
