import type { FunctionKey } from '../domain/ids.ts';
import type { Queue } from '../queues/queue.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { AsyncInstruments } from '../telemetry/async-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import type { Spans } from '../telemetry/spans.ts';
import type { CallbackConfig } from './callback-policy.ts';
import type { Resolve } from './callback-sender.ts';
import type { Invoke } from './invoke.ts';
import { defaultRetryRules, type RetryRules } from './retry.ts';

export type AsyncNeeds = {
  /** Closed by whoever opened it, after `stop`. */
  readonly queue: Queue;
  /** The labels of a function; undefined when there is none of that name. */
  labels(key: FunctionKey): Readonly<Record<string, string>> | undefined;
  readonly invoke: Invoke;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The addresses of a host name. Default: the system's. */
  readonly resolve?: Resolve;
  /** Where tracing is configured. */
  readonly spans?: Spans | undefined;
  /** For metrics. */
  readonly instruments?: AsyncInstruments | undefined;
};

export type AsyncConfig = {
  readonly callbacks: CallbackConfig;
  /** Calls of one function at once at this node, where its label `skein.async.concurrency` says nothing; of its callbacks as well. */
  readonly concurrency: number;
  /** Calls of all functions at once at this node, and callbacks as many again. */
  readonly maxRunning: number;
  /** A call that has no answer after this long counts as refused. Milliseconds. */
  readonly callTimeoutMs: number;
  readonly callbackTimeoutMs: number;
  readonly retries: RetryRules;
};

export const defaultAsyncConfig: AsyncConfig = {
  callbacks: { refusePrivate: false, except: [] },
  concurrency: 4,
  maxRunning: 32,
  callTimeoutMs: 3_600_000,
  callbackTimeoutMs: 30_000,
  retries: defaultRetryRules,
};
