import type { Socket } from 'node:net';
import type { Incoming } from '../exchange.ts';
import type { Framing, RequestHead } from './head.ts';

/** Of the connection: the body may go on. */
type Wake = () => void;

/** A request and its body, which waits with the client until somebody reads it. */
export class Http1Incoming implements Incoming {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly framing: Framing;
  readonly socket: Socket;
  readonly head: RequestHead;
  complete: boolean;
  /** Somebody reads. */
  flowing = false;
  readonly #wake: Wake;
  readonly #onData: ((chunk: Buffer) => void)[] = [];
  #onEnd: (() => void)[] = [];
  #onClose: (() => void)[] = [];
  #onBytes: ((bytes: number) => void) | undefined;
  #closed = false;

  constructor(head: RequestHead, socket: Socket, wake: Wake) {
    this.method = head.method;
    this.url = head.target;
    this.rawHeaders = head.headers;
    this.framing = head.framing;
    this.socket = socket;
    this.head = head;
    this.complete = head.framing.kind === 'none';
    this.#wake = wake;
  }

  on(_event: 'data', listener: (chunk: Buffer) => void): void {
    this.#onData.push(listener);
    this.resume();
  }

  once(event: 'end' | 'close', listener: () => void): void {
    const over = event === 'end' ? this.complete : this.#closed;
    if (over) process.nextTick(listener);
    else if (event === 'end') this.#onEnd.push(listener);
    else this.#onClose.push(listener);
  }

  pause(): void {
    this.flowing = false;
  }

  resume(): void {
    if (this.flowing) return;
    this.flowing = true;
    this.#wake();
  }

  watchBody(listener: (bytes: number) => void): void {
    this.#onBytes = listener;
  }

  /** Reads the rest and throws it away. */
  discard(): void {
    this.#onData.length = 0;
    this.flowing = true;
    this.#wake();
  }

  /** For the connection: a part of the body came. */
  readonly deliver = (chunk: Buffer): void => {
    this.#onBytes?.(chunk.length);
    for (const listener of this.#onData) listener(chunk);
  };

  /** For the connection: the body was read; tells those that listen. */
  finish(): void {
    this.complete = true;
    const listeners = this.#onEnd;
    this.#onEnd = [];
    for (const listener of listeners) listener();
  }

  /** For the connection: nothing more comes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const listeners = this.#onClose;
    this.#onClose = [];
    for (const listener of listeners) listener();
  }
}
