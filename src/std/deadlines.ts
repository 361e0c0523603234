import type { Clock } from './clock.ts';

/** Something whose time runs out. It may be in one `Deadlines` at a time, which keeps `place`: begin it with -1. */
export type Timed = {
  /** Of the clock's monotonic milliseconds; may be Infinity. */
  readonly endsAt: number;
  place: number;
};

/** Looks follow each other no closer: many that end one after the other cost no more than so many looks. */
const leastMs = 4;
/** Longer than a timer of Node can wait. */
const mostMs = 2 ** 30;

/**
 * Tells what has come to its end, within a few milliseconds after it. Made for many things of which nearly none come to their end:
 * adding and removing one is a few assignments, and there is one timer for all.
 */
export class Deadlines<Item extends Timed> {
  readonly #clock: Clock;
  readonly #onEnd: (item: Item) => void;
  readonly #items: Item[] = [];
  #lookAt = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  /** `onEnd` is told of each item once; it is not in the list any more. */
  constructor(clock: Clock, onEnd: (item: Item) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
    if (item.endsAt < this.#lookAt) this.#lookNext(item.endsAt, this.#clock.monotonic());
  }

  /** Does nothing with one that is not in the list. */
  remove(item: Item): void {
    const { place } = item;
    if (place < 0) return;
    const last = this.#items.pop() as Item;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = -1;
  }

  /** Ends the timer; nothing is told any more. */
  close(): void {
    this.#cancel?.();
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  #lookNext(at: number, now: number): void {
    this.#cancel?.();
    this.#lookAt = at;
    this.#cancel = this.#clock.after(Math.min(Math.max(at - now, 0), mostMs), () => this.#look());
  }

  #look(): void {
    const now = this.#clock.monotonic();
    const over = this.#items.filter(({ endsAt }) => endsAt <= now);
    for (const item of over) this.remove(item);
    let next = Number.POSITIVE_INFINITY;
    for (const { endsAt } of this.#items) next = Math.min(next, endsAt);
    this.#lookAt = next;
    this.#cancel = undefined;
    if (next < Number.POSITIVE_INFINITY) this.#lookNext(Math.max(next, now + leastMs), now);
    for (const item of over) this.#onEnd(item);
  }
}
