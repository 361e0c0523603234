import type { LogLine } from './needs.ts';

/** One node's part of a function's log, oldest line first. */
export type LogPart = AsyncIterable<LogLine>;

/**
 * Rings when a source has a line or ended. Who follows waits for this alone: what waits for a source that says nothing would
 * be kept for as long as it does, once for each line of the others.
 */
export class Bell {
  #next = Promise.withResolvers<void>();

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  rung(): Promise<void> {
    return this.#next.promise;
  }
}

/** Calls `line` its next one; reads no further until that is taken. */
export class Source {
  line: LogLine | undefined;
  ended = false;
  /** When its line came, counted over all sources. */
  since = 0;
  readonly #iterator: AsyncIterator<LogLine>;
  readonly #bell: Bell;
  #pending: Promise<void> | undefined;

  constructor(part: LogPart, bell: Bell) {
    this.#iterator = part[Symbol.asyncIterator]();
    this.#bell = bell;
  }

  /** Reads on, unless it does already, or its line was not taken. */
  begin(): void {
    if (this.line === undefined && !this.ended) this.#pending ??= this.#read();
  }

  /** Resolves when there is a line or the end. */
  async ready(): Promise<void> {
    this.begin();
    await this.#pending;
  }

  take(): LogLine | undefined {
    const { line } = this;
    this.line = undefined;
    return line;
  }

  stop(): void {
    this.ended = true;
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }

  async #read(): Promise<void> {
    try {
      const next = await this.#iterator.next();
      if (next.done === true || this.ended) this.ended = true;
      else {
        this.line = next.value;
        this.since = ++arrivals;
      }
    } catch {
      this.ended = true;
    }
    this.#pending = undefined;
    this.#bell.ring();
  }
}

let arrivals = 0;
