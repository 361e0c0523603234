import type { LogLine } from './needs.ts';

/** Of the lines kept, characters; the oldest go first. */
const maxKept = 8 * 1024 * 1024;

/** The newest lines of many, at most `count` (0 = no bound) and at most `maxKept` characters. */
export class Tail {
  readonly #count: number;
  #lines: LogLine[] = [];
  #start = 0;
  #kept = 0;

  constructor(count: number) {
    this.#count = count;
  }

  add(line: LogLine): void {
    this.#lines.push(line);
    this.#kept += line.text.length;
    while (this.#kept > maxKept || (this.#count > 0 && this.#lines.length - this.#start > this.#count)) {
      this.#kept -= this.#lines[this.#start++]?.text.length ?? 0;
    }
    if (this.#start < 1_000 || this.#start * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#start);
    this.#start = 0;
  }

  get lines(): readonly LogLine[] {
    return this.#lines.slice(this.#start);
  }
}
