/** The only source of time. Everything that waits or measures gets one handed in. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that never run backwards, for measuring. */
  monotonic(): number;
  /** Calls `callback` once, `ms` from now. Returns what cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Calls `callback` every `ms`. Returns what ends it. */
  every(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, callback) => {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
};

type Timer = { at: number; readonly order: number; readonly everyMs: number; readonly callback: () => void };

/** A clock that stands still until it is told to go on: for tests and simulations. */
export class ManualClock implements Clock {
  #now: number;
  readonly #start: number;
  #sequence = 0;
  #timers: Timer[] = [];

  constructor(now = 1_000_000) {
    this.#now = now;
    this.#start = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, callback: () => void): () => void {
    return this.#add(ms, 0, callback);
  }

  every(ms: number, callback: () => void): () => void {
    return this.#add(ms, ms, callback);
  }

  /** Moves time on by `ms`, running what comes due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let due = this.#due(end); due !== undefined; due = this.#due(end)) {
      this.#now = due.at;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      if (due.everyMs > 0) {
        due.at += due.everyMs;
        this.#timers.push(due);
      }
      due.callback();
    }
    this.#now = end;
  }

  #add(ms: number, everyMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, order: this.#sequence++, everyMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  #due(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}
