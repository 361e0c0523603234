import { burst, refilled, type Bucket } from '../../../routing/bucket.ts';

/** A level is kept in 1/1024 of a token, so that a bucket holds 262 143 at most; a time in milliseconds, for two years. */
const parts = 1_024;
const levelBits = 28n;
const levelMask = (1n << levelBits) - 1n;
const mostTokens = Number(levelMask >> 10n);

/** One that several threads take from: level and time are one number, which 0 says to be full. */
export class SharedBucket implements Bucket {
  readonly #cells: BigUint64Array;
  readonly #cell: number;

  constructor(cells: BigUint64Array, cell: number) {
    this.#cells = cells;
    this.#cell = cell;
  }

  tokens(perSecond: number, now: number): number {
    return tokensIn(Atomics.load(this.#cells, this.#cell), perSecond, now);
  }

  take(perSecond: number, now: number): boolean {
    for (;;) {
      const before = Atomics.load(this.#cells, this.#cell);
      const there = tokensIn(before, perSecond, now);
      if (there < 1) return false;
      // Never earlier than it was: another thread may have looked at its clock later and come first.
      const at = Math.max(Math.floor(now), timeOf(before));
      const after = (BigInt(at + 1) << levelBits) | BigInt(Math.floor((there - 1) * parts));
      if (Atomics.compareExchange(this.#cells, this.#cell, before, after) === before) return true;
    }
  }
}

const timeOf = (cell: bigint): number => Math.max(0, Number(cell >> levelBits) - 1);

const tokensIn = (cell: bigint, perSecond: number, now: number): number => {
  if (cell === 0n) return Math.min(burst(perSecond), mostTokens);
  const level = Number(cell & levelMask) / parts;
  return Math.min(refilled(level, Math.floor(now) - timeOf(cell), perSecond), mostTokens);
};
