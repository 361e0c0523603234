import type { Fault } from './fault.ts';

/** Cuts a body out of what comes on a connection. What it hands on are slices of the chunks: nothing is copied. */
export interface BodyReader {
  /** All of it was read. */
  readonly done: boolean;
  readonly fault: Fault | undefined;
  /** Takes bytes of `chunk` from `from` on, gives what is content to `onData`, and answers where it stopped, or `bad`. */
  feed(chunk: Buffer, from: number, onData: (content: Buffer) => void): number;
}

export class LengthBody implements BodyReader {
  readonly fault = undefined;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  feed(chunk: Buffer, from: number, onData: (content: Buffer) => void): number {
    const to = Math.min(chunk.length, from + this.#left);
    this.#left -= to - from;
    if (to > from) onData(slice(chunk, from, to));
    return to;
  }
}

/** Whoever reads it knows that it is over when the connection ends. */
export class EndlessBody implements BodyReader {
  readonly fault = undefined;
  readonly done = false;

  feed(chunk: Buffer, from: number, onData: (content: Buffer) => void): number {
    if (chunk.length > from) onData(slice(chunk, from, chunk.length));
    return chunk.length;
  }
}

const slice = (chunk: Buffer, from: number, to: number): Buffer =>
  from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
