import type { FunctionRef } from '../domain/function.ts';
import { functionKey } from '../domain/ids.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import type { FunctionHost, NodeFunction } from './needs.ts';
import { within } from './within.ts';

/** A node that takes longer is left out and named. */
const askMs = 500;

/** Of a node that does not say: it knows its bounds itself. */
const unbounded = 10_000;

export type Answers = {
  /** Sums over the nodes that answered. */
  readonly counts: ReadonlyMap<FunctionKey, Counts>;
  /** Names of those that did not. */
  readonly unreachable: readonly string[];
  /** The nodes at which a function lives, in the order in which they were given. */
  readonly homes: (ref: FunctionRef) => readonly Home[];
  /** What each node says of a function, in the order in which they were given. */
  readonly each: (ref: FunctionRef) => readonly Said[];
};

export type Said = {
  readonly node: string;
  readonly answered: boolean;
  /** undefined where the node does not know the function. */
  readonly there: NodeFunction | undefined;
};

/** A node at which a function lives, with what may be there of it. */
export type Home = {
  readonly name: string;
  readonly host: FunctionHost;
  readonly replicas: number;
} & NonNullable<NodeFunction['bounds']>;

export type Counts = {
  readonly replicas: number;
  readonly availableReplicas: number;
  readonly invocationCount: number;
  /** Over the nodes that measure it; absent when none does. */
  readonly usage?: NonNullable<NodeFunction['usage']>;
};

/** Asks all nodes at once and waits `askMs` at most. */
export const askAll = async (hosts: readonly FunctionHost[], clock: Pick<Clock, 'after'>): Promise<Answers> => {
  const given = await Promise.all(hosts.map(async (host) => ({ host, functions: await ask(host, clock) })));
  const counts = new Map<FunctionKey, Counts>();
  for (const { functions } of given) {
    for (const one of functions ?? []) add(counts, one);
  }
  return {
    counts,
    unreachable: given.filter(({ functions }) => functions === undefined).map(({ host }) => host.name),
    homes: (ref) =>
      given.flatMap(({ host, functions }) => {
        const one = functions?.find((one) => livesAs(one, ref));
        return one === undefined ? [] : [homeOf(host, one)];
      }),
    each: (ref) =>
      given.map(({ host, functions }) => ({
        node: host.name,
        answered: functions !== undefined,
        there: functions?.find((one) => isSame(one, ref)),
      })),
  };
};

const ask = (host: FunctionHost, clock: Pick<Clock, 'after'>): Promise<readonly NodeFunction[] | undefined> =>
  within(askMs, clock, (signal) => host.list(signal)).catch(() => undefined);

const homeOf = (host: FunctionHost, { replicas, bounds }: NodeFunction): Home => ({
  name: host.name,
  host,
  replicas,
  ...(bounds ?? { least: 0, most: unbounded, usual: 1 }),
});

const livesAs = (one: NodeFunction, ref: FunctionRef): boolean => one.placed && isSame(one, ref);

const isSame = (one: NodeFunction, ref: FunctionRef): boolean =>
  one.name === ref.name && one.namespace === ref.namespace;

const add = (counts: Map<FunctionKey, Counts>, one: NodeFunction): void => {
  const key = functionKey(one.name, one.namespace);
  const sum = counts.get(key) ?? { replicas: 0, availableReplicas: 0, invocationCount: 0 };
  counts.set(key, {
    replicas: sum.replicas + one.replicas,
    availableReplicas: sum.availableReplicas + one.availableReplicas,
    invocationCount: sum.invocationCount + one.invocationCount,
    ...usageOf(sum.usage, one.usage),
  });
};

const usageOf = (sum: Counts['usage'], one: Counts['usage']): Pick<Counts, 'usage'> => {
  if (sum === undefined) return one === undefined ? {} : { usage: one };
  if (one === undefined) return { usage: sum };
  return { usage: { cpu: sum.cpu + one.cpu, totalMemoryBytes: sum.totalMemoryBytes + one.totalMemoryBytes } };
};
