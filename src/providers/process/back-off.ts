import type { Clock } from '../../std/clock.ts';

const firstMs = 100;
const longestMs = 30_000;
/** A replica that ran this long was healthy: the next pause is the first again. */
export const healthyAfterMs = 60_000;

/** Growing pauses between attempts: 0.1 s, 0.2 s … 30 s. */
export class BackOff {
  readonly #clock: Clock;
  #failures = 0;
  #until = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the next attempt; 0 when it may be made now. */
  get leftMs(): number {
    return this.#cancel === undefined ? 0 : Math.max(0, this.#until - this.#clock.monotonic());
  }

  get waiting(): boolean {
    return this.#cancel !== undefined;
  }

  /** After a failure of something that had run for `ranMs`; `again` is called when the pause is over. */
  failed(ranMs: number, again: () => void): void {
    if (ranMs >= healthyAfterMs) this.#failures = 0;
    if (this.#cancel !== undefined) return;
    const pauseMs = Math.min(longestMs, firstMs * 2 ** this.#failures);
    this.#failures++;
    this.#until = this.#clock.monotonic() + pauseMs;
    this.#cancel = this.#clock.after(pauseMs, () => {
      this.#cancel = undefined;
      again();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
