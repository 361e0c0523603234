import type { Socket } from 'node:net';
import { joined } from './message-text.ts';

export type BodyFraming =
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

const lineEnd = '\r\n';
const lastChunk = '0\r\n\r\n';

/** Writes a head and its body to a socket, a short body together with its head. */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #framing: BodyFraming;
  readonly #onSent: (error?: Error | null) => void;
  /** Of a body with a length: what may still come. */
  #left: number;
  /** Goes with the first of the body. */
  #head: string;
  #closed = false;

  /** `onSent` is called once the last byte is with the operating system, or with what kept it from that. */
  constructor(socket: Socket, head: string, framing: BodyFraming, onSent: (error?: Error | null) => void) {
    this.#socket = socket;
    this.#head = head;
    this.#framing = framing;
    this.#left = framing.kind === 'length' ? framing.length : Number.POSITIVE_INFINITY;
    this.#onSent = onSent;
  }

  /** Sends the head without waiting for the body. */
  flush(): void {
    if (this.#head === '' || this.#left === 0) return;
    this.#socket.write(this.#head, 'latin1');
    this.#head = '';
  }

  /** False when the other side is slower. What exceeds the announced length is not sent: it would be the next message. */
  write(content: Buffer): boolean {
    if (content.length === 0 || this.#left === 0) return true;
    if (this.#framing.kind === 'chunked') return this.#writeChunk(content);
    const fits = content.length <= this.#left ? content : content.subarray(0, this.#left);
    this.#left -= fits.length;
    this.#closed = this.#left === 0;
    return this.#write(fits, this.#closed ? this.#onSent : undefined);
  }

  /** False when less came than was announced: the other side must not take it for the whole. */
  end(): boolean {
    if (this.#closed) return true;
    this.#closed = true;
    if (this.#framing.kind === 'length' && this.#left > 0) return false;
    const last = this.#framing.kind === 'chunked' ? this.#head + lastChunk : this.#head;
    this.#head = '';
    this.#socket.write(last, 'latin1', this.#onSent);
    return true;
  }

  #write(content: Buffer, sent: ((error?: Error | null) => void) | undefined): boolean {
    const head = this.#head;
    this.#head = '';
    if (head === '') return this.#socket.write(content, sent);
    const whole = joined(head, content);
    if (whole !== undefined) return this.#socket.write(whole, sent);
    this.#gather();
    this.#socket.write(head, 'latin1');
    return this.#socket.write(content, sent);
  }

  #writeChunk(content: Buffer): boolean {
    this.#gather();
    this.#head += `${content.length.toString(16)}\r\n`;
    this.#write(content, undefined);
    return this.#socket.write(lineEnd, 'latin1');
  }

  /** What is written in one turn goes out in one system call. */
  #gather(): void {
    if (this.#socket.writableCorked > 0) return;
    this.#socket.cork();
    process.nextTick(uncork, this.#socket);
  }
}

const uncork = (socket: Socket): void => socket.uncork();
