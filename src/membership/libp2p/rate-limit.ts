import type { Clock } from '../../std/clock.ts';

/** A token bucket: `perSecond` on average, `burst` at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

export class RateLimit {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  constructor(needs: { readonly clock: Clock; readonly rate: Rate }) {
    this.#clock = needs.clock;
    this.#rate = needs.rate;
    this.#tokens = needs.rate.burst;
    this.#at = needs.clock.monotonic();
  }

  /** Whether `amount` may pass now; what may not pass takes nothing. */
  take(amount: number): boolean {
    const now = this.#clock.monotonic();
    const gained = ((now - this.#at) / 1000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + gained);
    this.#at = now;
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }
}
