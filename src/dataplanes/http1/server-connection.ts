import type { Socket } from 'node:net';
import { bodyReader } from './body.ts';
import type { BodyReader } from './body-reader.ts';
import { bad, Fault, more } from './fault.ts';
import { readRequestHead, type RequestHead } from './head.ts';
import { Http1Incoming } from './incoming.ts';
import { nextMark, tooSlow, type Intake, type LeastIntake } from './intake.ts';
import { LineScanner, type LineBounds } from './line-scanner.ts';
import { statusLine } from './message-text.ts';
import { Http1Outgoing, type AnswerNeeds } from './outgoing.ts';

/** What a connection needs of its server. */
export interface ConnectionNeeds {
  readonly headBounds: LineBounds;
  /** Connections end with the answer that is being given. */
  readonly draining: boolean;
  /** Counts the server's looks at its connections. */
  readonly turn: number;
  /** `Date` and what is said of the connection, with the empty line. */
  tail(keepAlive: boolean, dated: boolean): string;
  handle(request: Http1Incoming, response: Http1Outgoing): void;
  gone(connection: ServerConnection): void;
}

export type Phase =
  /** Between requests. */
  | 'idle'
  /** Some of a head is here, or the connection is new. */
  | 'head'
  | 'busy'
  /** Answered: the rest of the request is read and thrown away, so that the client finds its answer. */
  | 'lingering';

/** One client: its requests, one after the other, each answered before the next is looked at. */
export class ServerConnection implements AnswerNeeds {
  phase: Phase = 'head';
  /** The server's turn in which this phase began. */
  since: number;
  readonly socket: Socket;
  readonly #needs: ConnectionNeeds;
  readonly #scanner: LineScanner;
  #incoming: Http1Incoming | undefined;
  #outgoing: Http1Outgoing | undefined;
  #reader: BodyReader | undefined;
  /** Read from the socket and not yet used, from `#at` on. */
  #chunk: Buffer | undefined;
  #at = 0;
  #pumping = false;
  #paused = false;
  /** Since when the client is slow. */
  #mark: Intake | undefined;
  /** No more requests. */
  #closing = false;

  constructor(socket: Socket, needs: ConnectionNeeds) {
    this.socket = socket;
    this.#needs = needs;
    this.since = needs.turn;
    this.#scanner = new LineScanner(needs.headBounds, true);
    socket.on('data', this.#take);
    socket.on('drain', this.#drain);
    // Its close follows, as it does when a client ends its side: that is what matters.
    socket.on('error', nothing);
    socket.on('close', this.#gone);
  }

  get mayKeepAlive(): boolean {
    return !this.#needs.draining && this.#incoming?.head.keepAlive === true;
  }

  tail(keepAlive: boolean, dated: boolean): string {
    return this.#needs.tail(keepAlive, dated);
  }

  answered(keepAlive: boolean): void {
    this.#mark = undefined;
    if (keepAlive && !this.#needs.draining) return this.#advance();
    this.#shut();
    this.socket.end();
  }

  /** Tells the client what was wrong, where it can still understand an answer, and closes. */
  refuse({ status, sentence }: Fault): void {
    if (this.#outgoing?.headersSent === true) return void this.socket.destroy();
    this.#shut();
    const fields = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${sentence.length + 1}\r\n`;
    this.socket.end(`${statusLine(status)}${fields}${this.tail(false, false)}${sentence}\n`, 'latin1');
    this.#outgoing?.close();
    this.#incoming?.close();
  }

  /** Ends the connection where the client takes less of its answer than it must. To be called now and then. */
  judgeIntake(atMs: number, least: LeastIntake): void {
    const { bytesWritten, writableLength } = this.socket;
    const now = { atMs, taken: bytesWritten - writableLength };
    this.#mark = nextMark(this.#mark, now, writableLength > 0, least);
    if (this.#mark !== undefined && tooSlow(this.#mark, now, least)) this.socket.destroy();
  }

  release(): void {
    const { socket } = this;
    socket.off('data', this.#take).off('drain', this.#drain);
    socket.off('close', this.#gone).off('error', nothing);
    socket.pause();
    const rest = this.#chunk?.subarray(this.#at);
    if (rest !== undefined && rest.length > 0) socket.unshift(rest);
    this.#chunk = undefined;
    this.#closing = true;
    this.#needs.gone(this);
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.#closing) return;
    this.#chunk = this.#chunk === undefined ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#pump();
  };

  readonly #drain = (): void => this.#outgoing?.drain();

  readonly #gone = (): void => {
    this.#needs.gone(this);
    this.#outgoing?.close();
    this.#incoming?.close();
  };

  readonly #wake = (): void => {
    if (!this.#pumping && this.#chunk !== undefined) process.nextTick(this.#pump);
  };

  /** Uses what was read as far as it can be used now; whoever sends more is made to wait. */
  readonly #pump = (): void => {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#chunk !== undefined && this.#step(this.#chunk)) {
      if (this.#chunk !== undefined && this.#at >= this.#chunk.length) this.#chunk = undefined;
    }
    this.#pumping = false;
    this.#pause(this.#chunk !== undefined);
  };

  /** False when the rest of `chunk` must wait. */
  #step(chunk: Buffer): boolean {
    if (this.#incoming === undefined) {
      this.#readHead(chunk);
      return true;
    }
    if (this.#incoming.complete || !this.#incoming.flowing) return false;
    this.#readBody(chunk, this.#incoming);
    return true;
  }

  #readHead(chunk: Buffer): void {
    const end = this.#scanner.feed(chunk, this.#at);
    if (end === more) {
      if (this.phase === 'idle') this.#enter('head');
      this.#at = chunk.length;
      return;
    }
    const head = end === bad ? (this.#scanner.fault as Fault) : readRequestHead(this.#scanner);
    this.#scanner.reset();
    if (head instanceof Fault) return this.refuse(head);
    this.#at = end;
    this.#begin(head);
  }

  #begin(head: RequestHead): void {
    this.phase = 'busy';
    this.#reader = bodyReader(head.framing);
    this.#incoming = new Http1Incoming(head, this.socket, this.#wake);
    this.#outgoing = new Http1Outgoing(head, this.socket, this);
    this.#needs.handle(this.#incoming, this.#outgoing);
  }

  #readBody(chunk: Buffer, incoming: Http1Incoming): void {
    const reader = this.#reader as BodyReader;
    const end = reader.feed(chunk, this.#at, incoming.deliver);
    if (end === bad) return this.refuse(reader.fault as Fault);
    this.#at = end;
    if (!reader.done || this.#closing) return;
    incoming.finish();
    if (this.phase === 'lingering') this.#advance();
  }

  /** The answer was sent: on to the next request, once the rest of this one is read. */
  #advance(): void {
    const incoming = this.#incoming;
    this.#outgoing = undefined;
    if (incoming?.complete === false) {
      this.#enter('lingering');
      return incoming.discard();
    }
    this.#incoming = undefined;
    incoming?.close();
    this.#enter('idle');
    if (this.#needs.draining) this.socket.destroy();
    else if (this.#chunk !== undefined) this.#pump();
  }

  /** Whatever else comes is thrown away. */
  #shut(): void {
    this.#closing = true;
    this.#chunk = undefined;
    this.#enter('lingering');
    this.#pause(false);
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.since = this.#needs.turn;
  }

  #pause(pause: boolean): void {
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }
}

const nothing = (): void => undefined;
