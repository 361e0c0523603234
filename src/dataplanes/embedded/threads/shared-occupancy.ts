import type { Occupancy } from '../../../routing/occupancy.ts';

/** Calls in a place that several threads let calls into: none of them ever lets in more than there may be. */
export class SharedOccupancy implements Occupancy {
  own = 0;
  readonly #words: Int32Array;
  readonly #word: number;

  constructor(words: Int32Array, word: number) {
    this.#words = words;
    this.#word = word;
  }

  get count(): number {
    return Atomics.load(this.#words, this.#word);
  }

  enter(most: number): boolean {
    for (;;) {
      const there = Atomics.load(this.#words, this.#word);
      if (there >= most) return false;
      if (Atomics.compareExchange(this.#words, this.#word, there, there + 1) !== there) continue;
      this.own += 1;
      return true;
    }
  }

  leave(): void {
    this.own -= 1;
    Atomics.sub(this.#words, this.#word, 1);
  }
}
