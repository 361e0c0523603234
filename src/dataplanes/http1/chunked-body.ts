import type { BodyReader } from './body-reader.ts';
import { bad, Fault, more } from './fault.ts';
import { Fields, readFields } from './fields.ts';
import { LineScanner } from './line-scanner.ts';

const trailerBounds = { maxBytes: 8_192, maxLines: 64 };
const maxExtensionBytes = 256;
const maxSizeDigits = 13;

const lf = 0x0a;
const cr = 0x0d;
const semicolon = 0x3b;

/** `;name`, `;name=value` and `;name="value"`, any number of them (RFC 9112, 7.1.1); they mean nothing here. */
const extensions = /^(;[-!#$%&'*+.^_`|~\w]+(=([-!#$%&'*+.^_`|~\w]+|"[\t !#-[\]-~]*"))?)+$/;

type State = 'size' | 'extension' | 'size-end' | 'content' | 'content-cr' | 'content-lf' | 'trailers' | 'done';

/** Chunks, strictly: anything two readers might cut in two ways is a fault. Trailers are read, bounded, and dropped. */
export class ChunkedBody implements BodyReader {
  fault: Fault | undefined;
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #extension = '';
  #trailers: LineScanner | undefined;

  get done(): boolean {
    return this.#state === 'done';
  }

  feed(chunk: Buffer, from: number, onData: (content: Buffer) => void): number {
    let at = from;
    while (at < chunk.length && this.#state !== 'done') {
      if (this.#state === 'content') {
        const to = Math.min(chunk.length, at + this.#size);
        this.#size -= to - at;
        onData(chunk.subarray(at, to));
        at = to;
        if (this.#size === 0) this.#state = 'content-cr';
      } else if (this.#state === 'trailers') {
        at = this.#readTrailers(chunk, at);
        if (at < 0) return at === more ? chunk.length : bad;
      } else {
        if (!this.#step(chunk[at] as number)) return this.#fail('The chunks of the body are not well-formed.');
        at += 1;
      }
    }
    return at;
  }

  /** One byte around the content; false when it cannot stand there. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#stepSize(byte);
      case 'extension':
        if (byte === cr) return this.#expect('size-end', extensions.test(this.#extension));
        this.#extension += String.fromCharCode(byte);
        return this.#extension.length <= maxExtensionBytes;
      case 'size-end':
        return this.#expect(this.#size === 0 ? 'trailers' : 'content', byte === lf);
      case 'content-cr':
        return this.#expect('content-lf', byte === cr);
      case 'content-lf':
        this.#digits = 0;
        return this.#expect('size', byte === lf);
      case 'content':
      case 'trailers':
      case 'done':
        return false;
    }
  }

  #stepSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = 16 * this.#size + digit;
      this.#digits += 1;
      return this.#digits <= maxSizeDigits;
    }
    if (this.#digits === 0) return false;
    if (byte === cr) return this.#expect('size-end', true);
    this.#extension = ';';
    return this.#expect('extension', byte === semicolon);
  }

  #expect(next: State, holds: boolean): boolean {
    this.#state = next;
    return holds;
  }

  #readTrailers(chunk: Buffer, from: number): number {
    this.#trailers ??= new LineScanner(trailerBounds, false);
    const end = this.#trailers.feed(chunk, from);
    if (end === bad) return this.#fail(this.#trailers.fault?.sentence ?? '');
    if (end === more) return more;
    const fields = readFields(this.#trailers, 0);
    if (!(fields instanceof Fields)) return this.#fail(fields.sentence);
    if (fields.chunked || fields.length !== undefined || fields.host !== undefined) {
      return this.#fail('Trailers say nothing of length, coding or host.');
    }
    this.#state = 'done';
    return end;
  }

  #fail(sentence: string): number {
    this.fault = new Fault(400, sentence);
    return bad;
  }
}

const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};
