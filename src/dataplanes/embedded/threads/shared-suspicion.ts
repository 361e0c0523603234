import { mostFailures, pauseMs, type Suspicion } from '../../../routing/suspicion.ts';

/** In one word, so that it changes at once: failures in its lowest bits, the time in steps of these milliseconds above, for a year. */
const stepMs = 64;
const failureBits = 3;
const failureMask = (1 << failureBits) - 1;

/** What one thread finds out about a peer, all go by. */
export class SharedSuspicion implements Suspicion {
  readonly #words: Int32Array;
  readonly #word: number;

  constructor(words: Int32Array, word: number) {
    this.#words = words;
    this.#word = word;
  }

  get until(): number {
    return (Atomics.load(this.#words, this.#word) >>> failureBits) * stepMs;
  }

  get failures(): number {
    return Atomics.load(this.#words, this.#word) & failureMask;
  }

  failed(now: number): void {
    const before = Atomics.load(this.#words, this.#word);
    if (now < (before >>> failureBits) * stepMs) return;
    const failures = Math.min((before & failureMask) + 1, mostFailures);
    const until = Math.ceil((now + pauseMs(failures)) / stepMs);
    // Where another thread was faster, it was told of the same silence, or of an answer since.
    Atomics.compareExchange(this.#words, this.#word, before, (until << failureBits) | failures);
  }

  answered(): void {
    if (Atomics.load(this.#words, this.#word) !== 0) Atomics.store(this.#words, this.#word, 0);
  }
}
