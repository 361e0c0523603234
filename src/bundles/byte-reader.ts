import { SkeinError } from '../domain/errors.ts';

/** Takes a stream of chunks apart by counts of bytes, holding no more than one chunk and what was asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `bytes`, or undefined when the stream is over. One that ends in between is `invalid`. */
  async take(bytes: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for await (const part of this.#slices(bytes)) parts.push(part);
    const taken = Buffer.concat(parts);
    if (taken.length === bytes) return taken;
    if (taken.length === 0) return undefined;
    throw cutOff();
  }

  /** The next `bytes` in pieces. One that ends before is `invalid`. Goes on where it was when read again. */
  upTo(bytes: number): AsyncIterable<Buffer> {
    const slices = this.#slices(bytes);
    let left = bytes;
    const next = async (): Promise<IteratorResult<Buffer>> => {
      const slice = await slices.next();
      if (slice.done === true && left > 0) throw cutOff();
      left -= slice.done === true ? 0 : slice.value.length;
      return slice;
    };
    // Without `return`, a reader that stops early leaves the rest to the next one.
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async skip(bytes: number): Promise<void> {
    for await (const _ of this.upTo(bytes));
  }

  /** Everything that is left. */
  async *rest(): AsyncGenerator<Buffer> {
    while (await this.#fill()) {
      yield this.#chunk;
      this.#chunk = Buffer.alloc(0);
    }
  }

  async *#slices(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0 && (await this.#fill());) {
      const slice = this.#chunk.subarray(0, left);
      this.#chunk = this.#chunk.subarray(slice.length);
      left -= slice.length;
      yield slice;
    }
  }

  /** Whether there is at least one byte to read. */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#chunk = next.value;
    }
    return true;
  }
}

const cutOff = (): SkeinError => new SkeinError('invalid', 'The archive ends in the middle of an entry.');
