import { bad, Fault, more } from './fault.ts';

export type LineBounds = {
  /** Of all lines with their ends. */
  readonly maxBytes: number;
  readonly maxLines: number;
};

const tab = 0x09;
const lf = 0x0a;
const cr = 0x0d;
const del = 0x7f;

/**
 * Finds the empty line that ends a head or a trailer section, in chunks cut anywhere; each byte is looked at once. A
 * line ends in CR LF and in nothing else, and holds no control character but the tab.
 */
export class LineScanner {
  /** Where each line ends in `text`: at its CR. */
  readonly ends: Int32Array;
  count = 0;
  /** The whole section, Latin-1, once it was found. */
  text = '';
  /** Where the first line begins in `text`. */
  first = 0;
  fault: Fault | undefined;
  readonly maxBytes: number;
  readonly #skipsEmpty: boolean;
  #kept: Buffer | undefined;
  #keptLength = 0;
  #scanned = 0;
  #lineStart = 0;

  /** `skipsEmpty`: one empty line before the first is passed over (RFC 9112, 2.2). */
  constructor({ maxBytes, maxLines }: LineBounds, skipsEmpty: boolean) {
    this.maxBytes = maxBytes;
    this.#skipsEmpty = skipsEmpty;
    this.ends = new Int32Array(maxLines);
  }

  /** Whether some of a section is here. */
  get begun(): boolean {
    return this.#keptLength > 0;
  }

  /** Makes ready for the next section. */
  reset(): void {
    this.count = 0;
    this.first = 0;
    this.text = '';
    this.fault = undefined;
    this.#kept = undefined;
    this.#keptLength = 0;
    this.#scanned = 0;
    this.#lineStart = 0;
  }

  /** Where in `chunk` the section ends; `more` or `bad` when it does not. */
  feed(chunk: Buffer, from: number): number {
    const before = this.#keptLength;
    if (before === 0) {
      const end = this.#scan(chunk, from, chunk.length);
      if (end === more) this.#keep(chunk, from);
      return end;
    }
    this.#keep(chunk, from);
    const end = this.#scan(this.#kept as Buffer, 0, this.#keptLength);
    return end < 0 ? end : from + end - before;
  }

  #scan(bytes: Buffer, base: number, length: number): number {
    const to = Math.min(length, base + this.maxBytes);
    let lineStart = base + this.#lineStart;
    let at = base + this.#scanned;
    for (; at < to; at += 1) {
      const byte = bytes[at] as number;
      if ((byte > 0x1f && byte !== del) || byte === tab) continue;
      if (byte !== cr) return this.#fail(400, 'A head is lines of printable characters, each ended by CR LF.');
      // The other half of this line's end is not here yet: it is looked at together.
      if (at + 1 === to) break;
      if (bytes[at + 1] !== lf) return this.#fail(400, 'A carriage return stands only before a line feed.');
      if (at > lineStart) {
        if (this.count === this.ends.length) return this.#fail(431, 'The head has too many lines.');
        this.ends[this.count] = at - base;
        this.count += 1;
      } else if (this.#skipsEmpty && this.count === 0 && this.first === 0) {
        this.first = 2;
      } else {
        this.text = bytes.toString('latin1', base, at);
        return at + 2;
      }
      lineStart = at + 2;
      at += 1;
    }
    if (to - base === this.maxBytes) {
      return this.count === 0 ? this.#fail(414, 'The target is too long.') : this.#fail(431, 'The head is too long.');
    }
    this.#scanned = at - base;
    this.#lineStart = lineStart - base;
    return more;
  }

  #keep(chunk: Buffer, from: number): void {
    const length = Math.min(this.#keptLength + chunk.length - from, this.maxBytes);
    if (this.#kept === undefined || this.#kept.length < length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * length, 1024), this.maxBytes));
      this.#kept?.copy(larger, 0, 0, this.#keptLength);
      this.#kept = larger;
    }
    chunk.copy(this.#kept, this.#keptLength, from, from + length - this.#keptLength);
    this.#keptLength = length;
  }

  #fail(status: number, sentence: string): number {
    this.fault = new Fault(status, sentence);
    return bad;
  }
}
