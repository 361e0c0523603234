import { SkeinError } from '../domain/errors.ts';
import { maxCallId, type Cancelled } from '../queues/queue.ts';
import type { Clock } from '../std/clock.ts';
import type { FunctionQueue, NodeDeadLetter, QueueHost } from './queue-host.ts';
import { within } from './within.ts';

export type QueuesNeeds = {
  readonly here: QueueHost;
  /** The queue of this node is that of all: nobody else is asked. */
  readonly shared: boolean;
  /** The peers that are alive now, and those that fell silent of late: asking one of these fails at once. */
  peers(): readonly QueueHost[];
  readonly clock: Pick<Clock, 'after'>;
};

/**
 * What waits at all nodes. A peer that does not answer in time is left out and named; faults of this node's own queue are
 * thrown as they are.
 */
export type Queues = {
  /** By function, sums over the nodes; `oldestAgeMs` is that of the oldest anywhere. */
  stats(): Promise<{ readonly functions: readonly FunctionQueue[] } & Asked>;
  /** `unavailable` when too much is being cancelled already. */
  cancel(callId: string): Promise<Cancelled & Asked>;
  /** Node by node, by their names, oldest first at each; those behind `after` only. */
  dead(limit: number, after: string | undefined): Promise<{ readonly letters: readonly DeadLetterAt[] } & Asked>;
  /** `not-found`; `unavailable` when the node that holds it is not there. */
  replay(id: string): Promise<void>;
  /** As `replay`. */
  drop(id: string): Promise<void>;
};

export type Asked = { readonly unreachable: readonly string[] };

/** `id` is `NODE/ID`, and `node` that node; where all nodes share a queue it is the queue's own, and there is no `node`. */
export type DeadLetterAt = NodeDeadLetter & { readonly node?: string };

/** A peer that takes longer is left out and named. */
const askMs = 2_000;
/** What waits is replayed on a disk that may be busy. */
const settleMs = 10_000;
/** Peers asked at once for their dead letters: each answer may be long. */
const maxAsked = 16;
/** Calls that are being cancelled at once: anyone may ask for it, and each asks every peer. */
const maxCancelling = 32;

export const createQueues = (needs: QueuesNeeds): Queues => {
  const { here, shared, clock } = needs;
  const hosts = (): readonly QueueHost[] => (shared ? [here] : [here, ...needs.peers()]);

  const answerOf = async <T>(host: QueueHost, ask: Ask<T>): Promise<Answer<T>> => {
    if (host === here) return { name: host.name, said: await ask(host, never) };
    const said = await within(askMs, clock, (signal) => ask(host, signal)).catch(() => undefined);
    return { name: host.name, said };
  };
  const askAll = <T>(asked: readonly QueueHost[], ask: Ask<T>): Promise<readonly Answer<T>[]> =>
    Promise.all(asked.map((host) => answerOf(host, ask)));

  const settle = async (id: string, act: (host: QueueHost, own: string, signal: AbortSignal) => Promise<void>) => {
    const place = placeOf(id);
    if (place === undefined || place.node === here.name) return act(here, place?.id ?? id, never);
    const named = hosts().filter(({ name }) => name === place.node);
    const host = named[0] ?? fail(notThere(place.node));
    if (named.length > 1) throw sameName(place.node);
    await within(settleMs, clock, (signal) => act(host, place.id, signal));
  };

  let cancelling = 0;

  return {
    stats: async () => {
      const answers = await askAll(hosts(), (host, signal) => host.stats(signal));
      return { functions: summed(answers.flatMap(({ said }) => said ?? [])), unreachable: silent(answers) };
    },

    cancel: async (callId) => {
      if (callId.length > maxCallId) return { cancelled: 0, running: 0, unreachable: [] };
      if (cancelling >= maxCancelling) throw tooManyCancelling();
      cancelling++;
      try {
        const answers = await askAll(hosts(), (host, signal) => host.cancel(callId, signal));
        const total = (of: keyof Cancelled): number => answers.reduce((sum, { said }) => sum + (said?.[of] ?? 0), 0);
        return { cancelled: total('cancelled'), running: total('running'), unreachable: silent(answers) };
      } finally {
        cancelling--;
      }
    },

    dead: async (limit, after) => {
      const from = after === undefined ? undefined : (placeOf(after) ?? { node: here.name, id: after });
      const asked = hosts()
        .filter(({ name }) => from === undefined || name >= from.node)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const letters: DeadLetterAt[] = [];
      const unreachable: string[] = [];
      for (let at = 0; at < asked.length && letters.length < limit; at += maxAsked) {
        const answers = await askAll(asked.slice(at, at + maxAsked), (host, signal) =>
          host.dead(limit, host.name === from?.node ? from.id : undefined, signal),
        );
        for (const { name, said } of answers)
          letters.push(...(said ?? []).map((one) => (shared ? one : letterAt(name, one))));
        unreachable.push(...silent(answers));
      }
      return { letters: letters.slice(0, limit), unreachable };
    },

    replay: (id) => settle(id, (host, own, signal) => host.replay(own, signal)),
    drop: (id) => settle(id, (host, own, signal) => host.drop(own, signal)),
  };
};

type Ask<T> = (host: QueueHost, signal: AbortSignal) => Promise<T>;
type Answer<T> = { readonly name: string; readonly said: T | undefined };

/** This node's own queue has its own bounds of time. */
const never = new AbortController().signal;

const silent = (answers: readonly Answer<unknown>[]): readonly string[] =>
  answers.filter(({ said }) => said === undefined).map(({ name }) => name);

const letterAt = (node: string, letter: NodeDeadLetter): DeadLetterAt => ({
  ...letter,
  id: `${node}/${letter.id}`,
  node,
});

/** What `NODE/ID` says; undefined for an id of this node's queue. */
const placeOf = (id: string): { readonly node: string; readonly id: string } | undefined => {
  const slash = id.indexOf('/');
  return slash < 0 ? undefined : { node: id.slice(0, slash), id: id.slice(slash + 1) };
};

type Counts = FunctionQueue['calls'];

const summed = (all: readonly FunctionQueue[]): readonly FunctionQueue[] => {
  const functions = new Map<string, FunctionQueue>();
  for (const one of all) {
    const known = functions.get(one.function);
    const both = known && { calls: sum(known.calls, one.calls), callbacks: sum(known.callbacks, one.callbacks) };
    functions.set(one.function, { ...one, ...both });
  }
  return [...functions.values()].toSorted((a, b) => (a.function < b.function ? -1 : 1));
};

const sum = (one: Counts, other: Counts): Counts => ({
  waiting: one.waiting + other.waiting,
  running: one.running + other.running,
  dead: one.dead + other.dead,
  oldestAgeMs: Math.max(one.oldestAgeMs, other.oldestAgeMs),
});

const fail = (error: Error): never => {
  throw error;
};

const shown = (name: string): string => JSON.stringify(name.slice(0, 64));

const notThere = (node: string): SkeinError =>
  new SkeinError('unavailable', `no node ${shown(node)} can be asked now: try again when it is there`);

const sameName = (node: string): SkeinError =>
  new SkeinError(
    'unavailable',
    `several nodes are called ${shown(node)}: ask the one that you mean, by its own gateway`,
  );

const tooManyCancelling = (): SkeinError =>
  new SkeinError('unavailable', `${maxCancelling} calls are being cancelled here already: try again in a moment`);
