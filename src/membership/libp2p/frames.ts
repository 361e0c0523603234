import { maxMessageBytes } from '../message.ts';

/** What travels on a stream between two members: 4 bytes of length (big endian), 1 byte of kind, then the payload. */
export type Frame = { readonly kind: FrameKind; readonly payload: Uint8Array };

/**
 * `message`: 8 bytes of message id, then the encoded message. `ping` and `pong`: 8 bytes that come back as they were.
 * `peers`: JSON, whom the sender can be reached and introduced by. `bye`: the sender leaves.
 */
export type FrameKind = (typeof kinds)[number];

const kinds = ['message', 'ping', 'pong', 'peers', 'bye'] as const;

export const messageIdBytes = 8;

/** Longest payload. */
export const maxPayloadBytes = maxMessageBytes + messageIdBytes;

const headerBytes = 5;

export const encodeFrame = (kind: FrameKind, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.length);
  view.setUint8(4, kinds.indexOf(kind));
  frame.set(payload, headerBytes);
  return frame;
};

/**
 * Cuts a stream into frames. What is too long or of an unknown kind is skipped without being kept, and reported as
 * undefined, so that a stream survives it; memory stays below one frame.
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame | undefined) => void;
  readonly #header = new Uint8Array(headerBytes);
  #filled = 0;
  #payload: Uint8Array | undefined;
  #kind: FrameKind | undefined;
  #left = 0;

  constructor(onFrame: (frame: Frame | undefined) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#filled < headerBytes ? this.#readHeader(rest) : this.#readPayload(rest);
  }

  #readHeader(chunk: Uint8Array): Uint8Array {
    const part = chunk.subarray(0, headerBytes - this.#filled);
    this.#header.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === headerBytes) this.#begin();
    return chunk.subarray(part.length);
  }

  #begin(): void {
    const view = new DataView(this.#header.buffer);
    this.#left = view.getUint32(0);
    this.#kind = kinds[view.getUint8(4)];
    const wanted = this.#kind !== undefined && this.#left <= maxPayloadBytes;
    this.#payload = wanted ? new Uint8Array(this.#left) : undefined;
    if (this.#left === 0) this.#end();
  }

  #readPayload(chunk: Uint8Array): Uint8Array {
    const part = chunk.subarray(0, this.#left);
    this.#payload?.set(part, this.#payload.length - this.#left);
    this.#left -= part.length;
    if (this.#left === 0) this.#end();
    return chunk.subarray(part.length);
  }

  #end(): void {
    const payload = this.#payload;
    const kind = this.#kind;
    this.#filled = 0;
    this.#payload = undefined;
    this.#onFrame(payload === undefined || kind === undefined ? undefined : { kind, payload });
  }
}
