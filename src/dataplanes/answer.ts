import type { Call } from './call.ts';
import type { Outgoing } from './exchange.ts';
import type { RawHeaders } from './headers.ts';

/** Answers up to this length are sent with their head in one write. */
const joinedBytes = 64 * 1024;

/**
 * Passes an answer on to the client as it comes. A short one with a known length waits for its body, so that it goes
 * out in one write; anything else (events, long and endless answers) is flushed at once.
 */
export class Answer {
  readonly #call: Call;
  readonly #response: Outgoing;
  #held = false;

  constructor(call: Call) {
    this.#call = call;
    this.#response = call.response;
  }

  get begun(): boolean {
    return this.#response.headersSent || this.#held;
  }

  head(status: number, headers: RawHeaders, length: number | undefined): void {
    this.#response.writeHead(status, headers);
    this.#held = length !== undefined && length > 0 && length <= joinedBytes;
    if (!this.#held && length !== 0) this.#response.flushHeaders();
  }

  /** False when the client is slower: go on after `resume` is called. */
  data(chunk: Buffer, resume: () => void): boolean {
    this.#held = false;
    this.#call.bytesOut += chunk.length;
    if (this.#response.write(chunk)) return true;
    this.#response.once('drain', resume);
    return false;
  }

  end(): void {
    this.#held = false;
    this.#response.end();
  }

  /** The source broke in the middle: the client must not take what it has for the whole. */
  abandon(): void {
    this.#response.destroy();
  }
}
