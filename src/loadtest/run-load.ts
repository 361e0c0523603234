import { systemClock, type Clock } from '../std/clock.ts';
import { evenArrivals } from './arrivals.ts';
import { Connections, type Request } from './connections.ts';
import { loadDefaults, type LoadOptions } from './load-options.ts';
import type { LatencyMs, LoadResult } from './load-result.ts';
import { Tally } from './tally.ts';

export type LoadNeeds = {
  readonly clock?: Clock;
  /** Ends the test early: nothing more is sent, what is under way is waited for. */
  readonly signal?: AbortSignal;
  /** Called once a second while requests are under way. */
  readonly onProgress?: (progress: LoadProgress) => void;
};

/** Counts and latencies since the start. */
export type LoadProgress = {
  readonly elapsedMs: number;
  readonly sent: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly unsent: number;
  readonly latencyMs: LatencyMs;
};

/**
 * Sends the load and measures. Resolves when the last answer was read or given up. Latency counts from the moment a
 * request was due, so a server that stalls is charged with every request that should have been served meanwhile.
 */
export const runLoad = async (options: LoadOptions, needs: LoadNeeds = {}): Promise<LoadResult> => {
  const clock = needs.clock ?? systemClock;
  const { rate } = options;
  const tally = new Tally();
  const connections = new Connections(requestOf(options), maxConnections(options), timeoutOf(options), clock);
  const startedAt = clock.monotonic();
  const signal = needs.signal ?? new AbortController().signal;
  const run: Run = { tally, connections, clock, startedAt, signal };
  const endProgress = reportProgress(run, needs.onProgress);
  try {
    const sendingMs =
      rate === 'max' ? await sendInTurn(run, options.durationMs) : await sendOnTime(run, rate, options.durationMs);
    return tally.result({ target: options.target, rate, durationMs: sendingMs });
  } finally {
    endProgress();
    connections.close();
  }
};

type Run = {
  readonly tally: Tally;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly startedAt: number;
  readonly signal: AbortSignal;
};

/** How long a due request waits for a connection before it counts as unsent: hides a hiccup of this client, no more. */
const waitForConnectionMs = 250;

/** Timers fire in whole milliseconds; a request may leave this much early rather than always late. */
const earlyMs = 0.5;

/** The open loop. Resolves after the last answer, with the milliseconds it was sending. */
const sendOnTime = (run: Run, perSecond: number, durationMs: number): Promise<number> =>
  new Promise((resolve) => {
    const { tally, connections, clock, signal } = run;
    const arrivals = evenArrivals(perSecond, durationMs);
    let next = 0;
    let sendingMs = 0;
    let cancelTimer = (): void => {};

    const sendDue = (): void => {
      if (signal.aborted) return;
      const elapsedMs = elapsed(run);
      const due = arrivals.dueBy(elapsedMs + earlyMs);
      for (; next < due; next++) {
        const dueMs = arrivals.at(next);
        if (connections.hasRoom) {
          sendOne(run, dueMs, answered);
          sendingMs = elapsedMs;
        } else if (elapsedMs - dueMs > waitForConnectionMs) tally.countUnsent(dueMs);
        else break;
      }
    };
    const answered = (): void => {
      sendDue();
      finishWhenDone();
    };
    const finishWhenDone = (): void => {
      if (connections.underWay > 0 || (next < arrivals.count && !signal.aborted)) return;
      cancelTimer();
      signal.removeEventListener('abort', finishWhenDone);
      resolve(signal.aborted ? Math.min(elapsed(run), durationMs) : Math.max(durationMs, sendingMs));
    };
    const tick = (): void => {
      sendDue();
      if (next < arrivals.count) cancelTimer = clock.after(untilNext(), tick);
      finishWhenDone();
    };
    const untilNext = (): number => {
      const waitMs = arrivals.at(next) - elapsed(run);
      return waitMs < 1 ? 1 : Math.min(Math.round(waitMs), 1000);
    };
    signal.addEventListener('abort', finishWhenDone);
    tick();
  });

/** The closed loop: every connection sends its next request when its last was answered. */
const sendInTurn = (run: Run, durationMs: number): Promise<number> =>
  new Promise((resolve) => {
    const { connections, clock, signal } = run;
    let sendingMs = 0;
    const mayEnd = (): boolean => signal.aborted || elapsed(run) >= durationMs;

    const fill = (): void => {
      while (connections.hasRoom && !mayEnd()) {
        sendingMs = elapsed(run);
        sendOne(run, sendingMs, answered);
      }
    };
    const answered = (): void => {
      // Not within this call: connections that break at once would nest without end.
      if (mayEnd()) finishWhenDone();
      else setImmediate(fill);
    };
    const finishWhenDone = (): void => {
      if (connections.underWay > 0 || !mayEnd()) return;
      cancelEnd();
      signal.removeEventListener('abort', finishWhenDone);
      resolve(signal.aborted ? elapsed(run) : Math.max(durationMs, sendingMs));
    };
    const cancelEnd = clock.after(durationMs + 1, finishWhenDone);
    signal.addEventListener('abort', finishWhenDone);
    fill();
  });

const sendOne = (run: Run, dueMs: number, onAnswered: () => void): void => {
  const from = Math.min(dueMs, elapsed(run));
  run.tally.countSent(dueMs);
  run.connections.send((outcome, endedAt) => {
    run.tally.countOutcome(dueMs, endedAt - run.startedAt - from, outcome);
    onAnswered();
  });
};

const elapsed = (run: Run): number => run.clock.monotonic() - run.startedAt;

const reportProgress = (run: Run, onProgress: LoadNeeds['onProgress']): (() => void) => {
  if (onProgress === undefined) return () => {};
  return run.clock.every(1000, () => {
    const { sent, succeeded, failed, unsent } = run.tally;
    onProgress({ elapsedMs: elapsed(run), sent, succeeded, failed, unsent, latencyMs: run.tally.latencyMs() });
  });
};

const maxConnections = ({ connections, rate }: LoadOptions): number =>
  connections ?? (rate === 'max' ? loadDefaults.closedLoopConnections : loadDefaults.connections);

const timeoutOf = ({ timeoutMs }: LoadOptions): number => timeoutMs ?? loadDefaults.timeoutMs;

const requestOf = (options: LoadOptions): Request => {
  const url = new URL(options.target);
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    headers: (options.headers ?? []).flat(),
    body: options.body ?? null,
  };
};
