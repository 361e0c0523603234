import { SkeinError } from '../../../domain/errors.ts';

/** Threads of one plane, the first among them. */
export const mostThreads = 16;

/** Functions × (2 + replicas + 2 × peers): a thousand functions among 50 peers take 110 000. Pages that nobody writes are not there. */
const mostPlaces = 2 ** 18;

/** Words of 32 bits: calls in the place, a suspicion, a bucket in two, and since when each thread has a call that waits there. */
const suspicionAt = 1;
const bucketAt = 2;
const sinceAt = 4;
/** For all places together: calls that wait, and how often room was given to whoever waits. */
const waitingAt = 0;
const wakesAt = 1;
const headerWords = 4;

/** The numbers that all threads of a plane go by. Everything in it is read and written with `Atomics`. */
export class SharedMemory {
  readonly bytes: SharedArrayBuffer;
  readonly threads: number;
  readonly words: Int32Array;
  readonly buckets: BigUint64Array;
  readonly #wordsEach: number;

  private constructor(bytes: SharedArrayBuffer, threads: number) {
    this.bytes = bytes;
    this.threads = threads;
    this.words = new Int32Array(bytes);
    this.buckets = new BigUint64Array(bytes);
    this.#wordsEach = wordsEach(threads);
  }

  static create(threads: number): SharedMemory {
    const words = headerWords + mostPlaces * wordsEach(threads);
    return new SharedMemory(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT), threads);
  }

  static of(bytes: SharedArrayBuffer, threads: number): SharedMemory {
    return new SharedMemory(bytes, threads);
  }

  readonly waitingWord = waitingAt;
  readonly wakesWord = wakesAt;

  /** Of `words`. */
  callsWord(place: number): number {
    return this.#first(place);
  }

  /** Of `words`. */
  suspicionWord(place: number): number {
    return this.#first(place) + suspicionAt;
  }

  /** Of `buckets`. */
  bucketWord(place: number): number {
    return (this.#first(place) + bucketAt) / 2;
  }

  /** Of `words`. */
  sinceWord(place: number, thread: number): number {
    return this.#first(place) + sinceAt + thread;
  }

  /** As if nobody had ever been there. */
  clear(place: number): void {
    const first = this.#first(place);
    for (let word = first; word < first + this.#wordsEach; word += 1) Atomics.store(this.words, word, 0);
  }

  #first(place: number): number {
    return headerWords + place * this.#wordsEach;
  }
}

/** Even, so that buckets lie on 8 bytes. */
const wordsEach = (threads: number): number => sinceAt + threads + (threads % 2);

/** `invalid` where there are not so many. */
export const checkPlaces = (count: number): void => {
  if (count <= mostPlaces) return;
  throw new SkeinError(
    'invalid',
    `this plan has ${count} bounds to keep, and threads share at most ${mostPlaces}: set dataPlane.embeddedThreads to 1, or have fewer functions or peers`,
  );
};
