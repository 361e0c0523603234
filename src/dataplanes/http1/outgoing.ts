import type { Socket } from 'node:net';
import type { Outgoing } from '../exchange.ts';
import { BodyWriter } from './body-writer.ts';
import type { RequestHead } from './head.ts';
import { statusLine, writeFields, type FieldText } from './message-text.ts';

/** What an answer needs to know of its connection, and tells it. */
export interface AnswerNeeds {
  /** `Date` and what the connection says of itself, with the empty line. */
  tail(keepAlive: boolean, dated: boolean): string;
  /** The connection takes another request after this answer. */
  readonly mayKeepAlive: boolean;
  /** The answer was sent whole. */
  answered(keepAlive: boolean): void;
  /** Gives the socket away. */
  release(): void;
}

const continueText = 'HTTP/1.1 100 Continue\r\n\r\n';
const processingText = 'HTTP/1.1 102 Processing\r\n\r\n';

/** The answer to one request. The head waits for the first of the body, for the end, or for `flushHeaders`. */
export class Http1Outgoing implements Outgoing {
  statusCode = 200;
  headersSent = false;
  /** `end` was called. */
  ended = false;
  /** The connection ends with this answer. */
  isLast = false;
  /** The client was told to send its body, or did not ask. */
  begun: boolean;
  readonly #request: RequestHead;
  readonly #socket: Socket;
  readonly #needs: AnswerNeeds;
  #fields: FieldText | undefined;
  #writer: BodyWriter | undefined;
  #bodiless = false;
  #keepAlive = false;
  #sent = false;
  #closed = false;
  #onDrain: (() => void)[] = [];
  #onClose: (() => void)[] = [];

  constructor(request: RequestHead, socket: Socket, needs: AnswerNeeds) {
    this.#request = request;
    this.#socket = socket;
    this.#needs = needs;
    this.begun = !request.expectsContinue;
  }

  writeContinue(): void {
    if (this.begun || this.headersSent) return;
    this.begun = true;
    this.#socket.write(continueText, 'latin1');
  }

  writeProcessing(): void {
    if (!this.headersSent && this.#request.minor === 1) this.#socket.write(processingText, 'latin1');
  }

  writeHead(status: number, headers: readonly string[]): this {
    if (this.headersSent) throw new Error('the head of this answer was written before');
    this.#fields = writeFields(statusLine(status), headers);
    this.headersSent = true;
    this.statusCode = status;
    this.#bodiless = this.#request.method === 'HEAD' || status < 200 || status === 204 || status === 304;
    return this;
  }

  flushHeaders(): void {
    if (!this.ended) this.#body(undefined).flush();
  }

  write(chunk: Buffer): boolean {
    if (this.ended || this.#closed) return true;
    const writer = this.#body(undefined);
    return this.#bodiless || writer.write(chunk);
  }

  end(chunk?: Buffer): this {
    if (this.ended || this.#closed) return this;
    const writer = this.#body(chunk?.length ?? 0);
    this.ended = true;
    if (chunk !== undefined && !this.#bodiless) writer.write(chunk);
    if (!writer.end()) this.destroy();
    else if (this.#sent) this.#settle();
    return this;
  }

  /**
   * Answers 101 and gives the connection away, paused, with what came on it behind the head. `headers` name the protocol
   * in `Upgrade`. `close` comes with the connection's own.
   */
  accept(headers: readonly string[]): Socket {
    this.writeHead(101, headers);
    this.ended = true;
    const { text } = this.#fields as FieldText;
    this.#needs.release();
    this.#socket.once('close', () => this.close());
    this.#socket.write(`${text}Connection: Upgrade\r\n\r\n`, 'latin1');
    return this.#socket;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  once(event: 'close' | 'drain', listener: () => void): void {
    if (event === 'drain') this.#onDrain.push(listener);
    else if (this.#closed) process.nextTick(listener);
    else this.#onClose.push(listener);
  }

  /** For the connection: there is room again. */
  drain(): void {
    if (this.#onDrain.length === 0) return;
    const listeners = this.#onDrain;
    this.#onDrain = [];
    for (const listener of listeners) listener();
  }

  /** For the connection: it was sent, or will not be. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const listeners = this.#onClose;
    this.#onClose = [];
    for (const listener of listeners) listener();
  }

  /** `whole`: the length of the body where all of it is here. */
  #body(whole: number | undefined): BodyWriter {
    if (this.#writer !== undefined) return this.#writer;
    if (!this.headersSent) this.writeHead(this.statusCode, []);
    const { text, length = this.#bodiless ? undefined : whole, close, dated } = this.#fields as FieldText;
    // An answer that has no body by its status says no length (RFC 9110, 8.6).
    const lengthless = length === undefined || this.statusCode === 204;
    const unbounded = length === undefined && !this.#bodiless;
    const chunked = unbounded && this.#request.minor === 1;
    this.#keepAlive = !this.isLast && this.#needs.mayKeepAlive && this.begun && !close && !(unbounded && !chunked);
    const tail = this.#needs.tail(this.#keepAlive, dated);
    const framing = chunked ? 'Transfer-Encoding: chunked\r\n' : lengthless ? '' : `Content-Length: ${length}\r\n`;
    const head = text + framing + tail;
    this.#writer = new BodyWriter(
      this.#socket,
      head,
      chunked
        ? { kind: 'chunked' }
        : unbounded
          ? { kind: 'until-close' }
          : { kind: 'length', length: this.#bodiless ? 0 : (length ?? 0) },
      this.#onSent,
    );
    return this.#writer;
  }

  readonly #onSent = (error?: Error | null): void => {
    if (error) return;
    this.#sent = true;
    if (this.ended) this.#settle();
  };

  #settle(): void {
    if (this.#closed) return;
    this.#needs.answered(this.#keepAlive);
    this.close();
  }
}
