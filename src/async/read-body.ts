import { SkeinError } from '../domain/errors.ts';

/** All bodies together that are being received and written. */
const maxReadingBytes = 128 * 1024 ** 2;

/** Reads bodies whole, each and all together within bounds. */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxReadingBytes: number;
  #readingBytes = 0;

  constructor(maxBytes: number, together = maxReadingBytes) {
    this.#maxBytes = maxBytes;
    this.#maxReadingBytes = together;
  }

  /** Hands `use` the whole body; it counts until `use` is done. `too-large`, or `full` when too much arrives at once. */
  async read(body: AsyncIterable<Uint8Array> | null, use: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    let held = 0;
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body ?? []) {
        held += chunk.length;
        this.#readingBytes += chunk.length;
        if (held > this.#maxBytes) throw tooLarge(this.#maxBytes);
        if (this.#readingBytes > this.#maxReadingBytes) throw tooMany();
        chunks.push(chunk);
      }
      await use(Buffer.concat(chunks));
    } finally {
      this.#readingBytes -= held;
    }
  }
}

const tooLarge = (maxBytes: number): SkeinError =>
  new SkeinError(
    'too-large',
    `The body is longer than ${maxBytes} bytes, the most that an asynchronous call may carry: send where to find it.`,
  );

const tooMany = (): SkeinError =>
  new SkeinError('full', 'More asynchronous calls arrive at once than this node can hold. Try again later.');
