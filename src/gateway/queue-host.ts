import { z } from 'zod';
import type { AsyncInvoker } from '../async/async-invoker.ts';

const count = z.number().min(0);

const counts = z.object({ waiting: count, running: count, dead: count, oldestAgeMs: count });

/** What waits of one function. */
export const functionQueue = z.object({ function: z.string().max(256), calls: counts, callbacks: counts });

export type FunctionQueue = z.infer<typeof functionQueue>;

export const deadLetter = z.object({
  id: z.string().max(256),
  lane: z.string().max(256),
  callId: z.string().max(128),
  why: z.string().max(1_000),
  attempts: count,
  addedAtMs: z.number(),
  buriedAtMs: z.number(),
  bytes: count,
});

export type NodeDeadLetter = z.infer<typeof deadLetter>;

export const cancelled = z.object({ cancelled: count, running: count });

/** What waits at one node: this one, or a peer over its peer listener. As `AsyncInvoker` says, for that node alone. */
export type QueueHost = {
  /** The node's name. */
  readonly name: string;
  stats(signal: AbortSignal): Promise<readonly FunctionQueue[]>;
  cancel(callId: string, signal: AbortSignal): Promise<z.infer<typeof cancelled>>;
  dead(limit: number, after: string | undefined, signal: AbortSignal): Promise<readonly NodeDeadLetter[]>;
  replay(id: string, signal: AbortSignal): Promise<void>;
  drop(id: string, signal: AbortSignal): Promise<void>;
};

/** The queue of this node. */
export const queueHere = (name: string, calls: Pick<AsyncInvoker, 'cancel' | 'stats' | 'dead'>): QueueHost => ({
  name,
  stats: () => calls.stats(),
  cancel: (callId) => calls.cancel(callId),
  dead: (limit, after) => calls.dead.list(limit, after),
  replay: (id) => calls.dead.replay(id),
  drop: (id) => calls.dead.drop(id),
});
