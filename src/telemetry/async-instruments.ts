import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FunctionKey } from '../domain/ids.ts';

/** An asynchronous call itself, or the callback that tells of its answer. */
export type AsyncKind = 'call' | 'callback';

/** What is counted of asynchronous calls at this node. */
export type AsyncInstruments = {
  /** Kept, so that it was answered with 202. */
  accepted(key: FunctionKey): void;
  /** Taken for its first attempt, so many seconds after it was accepted. */
  begun(key: FunctionKey, kind: AsyncKind, waitedSeconds: number): void;
  /** One attempt came to an end: the item is done, will be tried again, or was given up. */
  ended(key: FunctionKey, kind: AsyncKind, how: 'done' | 'retried' | 'buried'): void;
};

/** What the queue holds now. */
export type AsyncCounts = {
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
  readonly oldestAgeMs: number;
};

export type AsyncMetricsNeeds = {
  stats(): Promise<
    readonly { readonly function: FunctionKey; readonly calls: AsyncCounts; readonly callbacks: AsyncCounts }[]
  >;
  /** Series of functions that are not deployed any more, and of which the queue holds nothing, end. */
  isKnown(key: FunctionKey): boolean;
};

export type AsyncMetrics = AsyncInstruments & {
  /** In the form of prom-client's `getMetricsAsJSON`: a source of `serveMetrics`. Rejects when the queue does not answer. */
  metrics(): Promise<readonly unknown[]>;
};

/** Seconds: a call may wait for a moment or for a night. */
const waitBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600];
const kinds: readonly AsyncKind[] = ['call', 'callback'];
const labelNames = ['function_name', 'kind'] as const;

export const asyncMetrics = (needs: AsyncMetricsNeeds): AsyncMetrics => {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  const acceptedTotal = new Counter({
    name: 'skein_async_accepted_total',
    help: 'Asynchronous calls that were kept and answered with 202.',
    labelNames: ['function_name'] as const,
    registers,
  });
  const counters = {
    done: counter('skein_async_completed_total', 'Asynchronous calls and callbacks that were made.'),
    retried: counter('skein_async_retries_total', 'Attempts after which there will be another.'),
    buried: counter('skein_async_buried_total', 'Asynchronous calls and callbacks that became dead letters.'),
  };
  const wait = new Histogram({
    name: 'skein_async_wait_seconds',
    help: 'Time in the queue before the first attempt.',
    labelNames,
    buckets: waitBuckets,
    registers,
  });
  const gauges = {
    waiting: gauge('skein_async_waiting', 'Asynchronous calls and callbacks that wait.'),
    running: gauge('skein_async_running', 'Asynchronous calls and callbacks under way.'),
    dead: gauge('skein_async_dead_letters', 'Dead letters that are kept.'),
    oldest: gauge('skein_async_oldest_age_seconds', 'Age of the oldest that waits or is under way.'),
  };
  const seen = new Set<FunctionKey>();

  const forget = (function_name: FunctionKey): void => {
    seen.delete(function_name);
    acceptedTotal.remove({ function_name });
    for (const kind of kinds) {
      for (const one of [...Object.values(counters), wait]) one.remove({ function_name, kind });
    }
  };

  return {
    accepted: (function_name) => {
      seen.add(function_name);
      acceptedTotal.inc({ function_name });
    },
    begun: (function_name, kind, seconds) => {
      seen.add(function_name);
      wait.observe({ function_name, kind }, seconds);
    },
    ended: (function_name, kind, how) => {
      seen.add(function_name);
      counters[how].inc({ function_name, kind });
    },
    metrics: async () => {
      const stats = await needs.stats();
      for (const one of Object.values(gauges)) one.reset();
      for (const { function: function_name, calls, callbacks } of stats) {
        for (const [kind, counts] of [['call', calls] as const, ['callback', callbacks] as const]) {
          const labels = { function_name, kind };
          gauges.waiting.set(labels, counts.waiting);
          gauges.running.set(labels, counts.running);
          gauges.dead.set(labels, counts.dead);
          gauges.oldest.set(labels, counts.oldestAgeMs / 1000);
        }
      }
      const held = new Set(stats.map((one) => one.function));
      for (const key of seen) if (!held.has(key) && !needs.isKnown(key)) forget(key);
      return registry.getMetricsAsJSON();
    },
  };
};
