import { randomUUID } from 'node:crypto';
import { forwardable, valueOf, type RawHeaders } from '../dataplanes/headers.ts';
import { SkeinError } from '../domain/errors.ts';
import { splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import { maxCallId, type Cancelled, type DeadLetters } from '../queues/queue.ts';
import { defaultAsyncConfig, type AsyncConfig, type AsyncNeeds } from './async-needs.ts';
import { callbackPolicy, checkCallbackUrl } from './callback-policy.ts';
import { CallbackSender } from './callback-sender.ts';
import { functionStats, type FunctionQueueStats } from './function-stats.ts';
import { itemOfCall } from './queued.ts';
import { BodyReader } from './read-body.ts';
import { traced } from './traced.ts';
import { Worker } from './worker.ts';

/** A call as it arrived on `/async-function/…`. */
export type AsyncRequest = {
  readonly function: FunctionKey;
  /** Path and query for the function, beginning with a slash. */
  readonly path: string;
  /** As received. `X-Call-Id` and `X-Callback-Url` are read from them. */
  readonly headers: RawHeaders;
  readonly body: AsyncIterable<Uint8Array> | null;
};

/**
 * Calls that are made later: kept in a queue, made at least once through the node's own gateway, their answers posted to
 * whoever asked for them.
 */
export interface AsyncInvoker {
  /** All nodes of the federation share its queue. */
  readonly shared: boolean;
  /**
   * Resolves with the call's id when the call is durable: only then it may be answered with 202. `invalid` for a callback address
   * or a call id that makes no sense, `not-found` for an unknown function, `too-large`, `full`, `unavailable` when the queue
   * cannot keep it.
   */
  enqueue(request: AsyncRequest): Promise<string>;
  /** Cancels the calls with that id that wait, and their callbacks: 202 if any was, else 409 if any runs, else 404. */
  cancel(callId: string): Promise<Cancelled>;
  /** Per function that has something in the queue, by name. */
  stats(): Promise<readonly FunctionQueueStats[]>;
  /** Calls and callbacks that were given up. The lane of a callback is `callback:NAME.NAMESPACE`. */
  readonly dead: DeadLetters;
  /** Begins to make calls. */
  start(): void;
  /** Takes no more, gives what runs `graceMs` to end, and cuts the rest off: it is made again, here or elsewhere. */
  stop(graceMs: number): Promise<void>;
}

/** `invalid` when a network in `callbacks.except` is none. */
export const asyncInvoker = (needs: AsyncNeeds, config: Partial<AsyncConfig> = {}): AsyncInvoker => {
  const whole = { ...defaultAsyncConfig, ...config };
  const policy = callbackPolicy(whole.callbacks);
  const bodies = new BodyReader(needs.queue.limits.itemBytes);
  const sender = new CallbackSender(policy, whole.callbackTimeoutMs, needs);
  const worker = new Worker(needs, whole, sender);
  return {
    shared: needs.queue.shared,
    enqueue: async ({ function: key, path, headers, body }) => {
      if (needs.labels(key) === undefined) throw unknownFunction(key);
      checkPath(path);
      const callbackUrl = valueOf(headers, 'x-callback-url') || undefined;
      if (callbackUrl !== undefined) checkCallbackUrl(callbackUrl, policy);
      const callId = callIdOf(headers);
      const step = traced(needs, { name: 'accept', kind: 'producer', key, callId, headers: forwardable(headers) });
      let kept = false;
      try {
        await bodies.read(body, async (bytes) => {
          await needs.queue.add(itemOfCall({ key, callId, path, headers: step.headers, callbackUrl }, bytes));
        });
        kept = true;
      } finally {
        step.end({ failed: !kept });
      }
      needs.instruments?.accepted(key);
      return callId;
    },
    cancel: (callId) => needs.queue.cancel(callId),
    stats: async () => functionStats(await needs.queue.stats()),
    dead: needs.queue.dead,
    start: () => worker.start(),
    stop: (graceMs) => worker.stop(graceMs),
  };
};

const callIdOf = (headers: RawHeaders): string => {
  const given = valueOf(headers, 'x-call-id') || randomUUID();
  if (given.length <= maxCallId) return given;
  throw new SkeinError('invalid', `X-Call-Id has ${given.length} characters; at most ${maxCallId} are kept.`);
};

/** What could not be sent on is refused now, not when nobody is there to hear it. */
const checkPath = (path: string): void => {
  if (/^\/[\u0021-\u00ff]*$/.test(path)) return;
  throw new SkeinError(
    'invalid',
    'The path holds a character that no request line may hold: write it percent-encoded.',
  );
};

const unknownFunction = (key: FunctionKey): SkeinError => {
  const { name, namespace } = splitFunctionKey(key);
  return new SkeinError(
    'not-found',
    `There is no function ${name} in ${namespace}: deploy it first, or check its name.`,
  );
};
