import { Client, type Dispatcher } from 'undici';
import type { Clock } from '../std/clock.ts';
import { errorKind } from './error-kind.ts';
import type { Outcome } from './tally.ts';

export type Request = {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array | null;
};

/** Called once for each request sent, with when it ended by the clock's `monotonic`. */
export type OnDone = (outcome: Outcome, endedAt: number) => void;

/**
 * At most `max` connections that each carry one request at a time. The one used last is used next, so that no more
 * are open than needed and those that fell idle close by themselves.
 */
export class Connections {
  readonly #request: Request;
  readonly #max: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #idle: Client[] = [];
  readonly #exchanges = new Set<Exchange>();
  readonly #endSweep: () => void;

  constructor(request: Request, max: number, timeoutMs: number, clock: Clock) {
    this.#request = request;
    this.#max = max;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#endSweep = clock.every(Math.max(1, Math.min(50, timeoutMs / 4)), () => this.#sweep());
  }

  get underWay(): number {
    return this.#exchanges.size;
  }

  get hasRoom(): boolean {
    return this.#exchanges.size < this.#max;
  }

  /** Sends one request; only when there is room. */
  send(onDone: OnDone): void {
    const client = this.#idle.pop() ?? this.#connect();
    const exchange = new Exchange(this.#clock.monotonic() + this.#timeoutMs, (outcome) => {
      this.#exchanges.delete(exchange);
      if (outcome.kind === 'answered') this.#idle.push(client);
      else discard(client);
      onDone(outcome, this.#clock.monotonic());
    });
    this.#exchanges.add(exchange);
    client.dispatch(this.#request as Dispatcher.DispatchOptions, exchange);
  }

  /** Closes every connection; requests still under way end as `closed`. */
  close(): void {
    this.#endSweep();
    for (const exchange of this.#exchanges) exchange.giveUp('closed');
    for (const client of this.#idle.splice(0)) discard(client);
  }

  #connect(): Client {
    return new Client(this.#request.origin, {
      pipelining: 1,
      // One time limit holds from sending to the end of the answer; see `#sweep`.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: this.#timeoutMs + 1000 },
    });
  }

  /** All requests have the same time limit, so they come due in the order in which they were sent. */
  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const exchange of this.#exchanges) {
      if (exchange.deadline > now) return;
      exchange.giveUp('timeout');
    }
  }
}

/** One request and its answer, of which only the status and two headers are kept. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly deadline: number;
  readonly #onEnd: (outcome: Outcome) => void;
  #ended = false;
  #status = 0;
  #node: string | undefined;
  #reason: string | undefined;

  constructor(deadline: number, onEnd: (outcome: Outcome) => void) {
    this.deadline = deadline;
    this.#onEnd = onEnd;
  }

  onRequestStart(): void {}

  onResponseStart(_: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#status = status;
    this.#node = first(headers['x-skein-node']);
    this.#reason = first(headers['x-skein-reason']);
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.#end({
      kind: 'answered',
      status: this.#status,
      ...(this.#node === undefined ? {} : { node: this.#node }),
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    });
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end({ kind: 'error', error: errorKind(error) });
  }

  giveUp(error: string): void {
    this.#end({ kind: 'error', error });
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(outcome);
  }
}

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** What a connection says while it is thrown away interests nobody: its request has been counted. */
const discard = (client: Client): void => {
  client.destroy().catch(() => {});
};
