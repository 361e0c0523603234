/** What is held against a peer that did not answer. Times are milliseconds. */
export interface Suspicion {
  /** It is not asked before this time. */
  readonly until: number;
  /** How often in a row it did not answer, as far as that matters. */
  readonly failures: number;
  /** It did not answer: it is left alone for 1 s, 2 s, 4 s … 30 s. */
  failed(now: number): void;
  answered(): void;
}

/** More make no difference. */
export const mostFailures = 6;

export const pauseMs = (failures: number): number => Math.min(30_000, 500 * 2 ** failures);

/** Of a thread that goes by what it sees itself. */
export class OwnSuspicion implements Suspicion {
  until = 0;
  failures = 0;

  failed(now: number): void {
    // Calls that were under way together fail together: that is one failure, not a reason to shun it for longer.
    if (now < this.until) return;
    this.failures = Math.min(this.failures + 1, mostFailures);
    this.until = now + pauseMs(this.failures);
  }

  answered(): void {
    this.failures = 0;
    this.until = 0;
  }
}
