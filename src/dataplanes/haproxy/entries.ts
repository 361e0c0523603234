import type { FunctionKey } from '../../domain/ids.ts';
import type { FunctionPlan, Limit, Plan, Policy } from '../../routing/plan.ts';
import { replicaId, type Shape } from './shape.ts';

/** The maps by which HAProxy is told what to do; they are files at the start and are changed at run time. */
export const mapNames = ['node', 'room', 'functions', 'backends', 'quick', 'peers', 'keys', 'ids'] as const;
export type MapName = (typeof mapNames)[number];
export type Maps = { readonly [name in MapName]: ReadonlyMap<string, string> };

/**
 * - `node`: one entry, `node`.
 * - `functions`: by key, what Lua decides with (`lua/entries.lua`).
 * - `backends`: by its backend, the key of a function.
 * - `room`: of how many running calls there is room for one more: one entry, a range.
 * - `quick`: by the beginning of the path, functions whose calls run here whenever there is room, which HAProxy sees by
 *   itself: how many may run (`any` where the slots bound them), for how long, milliseconds, backend, and the key.
 * - `peers`: by server name, their size and distance.
 * - `keys`: by Ed25519 key, the server name of who may call the peer listener.
 * - `ids`: by server name, the node's id.
 *
 * Made once for each shape: that of the plan before is asked for again when the next one is compared with it.
 */
export const entries = (shape: Shape): Maps => {
  const maps = made.get(shape) ?? make(shape);
  made.set(shape, maps);
  return maps;
};

const made = new WeakMap<Shape, Maps>();

const make = (shape: Shape): Maps => {
  const { plan } = shape;
  const named = plan.peers.map((peer) => ({ peer, name: shape.peers[peer.id]?.name ?? '' }));
  return {
    node: new Map([['node', nodeEntry(plan)]]),
    functions: new Map(
      (Object.entries(plan.functions) as [FunctionKey, FunctionPlan][]).map(([key, function_]) => [
        key,
        functionEntry(shape, key, function_),
      ]),
    ),
    backends: new Map(Object.keys(plan.functions).map((key) => [`f${shape.slots[key as FunctionKey]}`, key] as const)),
    room: new Map(plan.slots < 1 ? [] : [[`0:${whole(plan.slots - 1)}`, 'yes']]),
    quick: new Map(
      (Object.entries(plan.functions) as [FunctionKey, FunctionPlan][]).flatMap(([key, function_]) => {
        const bound = plan.draining ? undefined : quickBound(function_);
        if (bound === undefined) return [];
        const most = bound >= plan.slots ? 'any' : whole(bound);
        const entry = `${most}:${whole(Math.max(1, function_.timeoutMs))}:f${shape.slots[key]}:${key}`;
        return pathsOf(key).map((path) => [path, entry] as const);
      }),
    ),
    peers: new Map(named.map(({ peer, name }) => [name, `slots=${whole(peer.slots)}&rtt=${number(peer.rttMs)}`])),
    keys: new Map(named.map(({ peer, name }) => [peer.publicKey, name])),
    ids: new Map(named.map(({ peer, name }) => [name, peer.id])),
  };
};

/** How callers may write it. */
const pathsOf = (key: FunctionKey): readonly string[] => {
  const [, short] = /^([^.]+)\.openfaas-fn$/.exec(key) ?? [];
  return short === undefined ? [`/function/${key}`] : [`/function/${short}`, `/function/${key}`];
};

const nodeEntry = ({ slots, draining, version }: Plan): string =>
  `slots=${whole(slots)}&draining=${draining ? 1 : 0}&version=${whole(version)}`;

/** How many calls of it may run here before anything is to be decided; undefined where every call is. */
const quickBound = (plan: FunctionPlan): number | undefined => {
  if (plan.replicas.length === 0 || plan.rejectShare > 0 || plan.maxRate > 0) return undefined;
  const most = plan.maxInFlight > 0 ? plan.maxInFlight : 1e9;
  switch (plan.policy) {
    case 'weighted':
      return undefined;
    case 'local-first': {
      const { weight, limit } = plan.local;
      if (weight <= 0 || limit?.kind === 'rate') return undefined;
      return Math.min(most, limit?.count ?? most);
    }
    case 'ranked':
    case 'least-loaded':
      return most;
  }
};

const policies: Record<Policy, string> = { weighted: 'w', 'local-first': 'f', 'least-loaded': 'l', ranked: 'r' };

const functionEntry = (shape: Shape, key: FunctionKey, plan: FunctionPlan): string => {
  const shares = plan.peers.flatMap(({ id, weight, limit }) => {
    const name = shape.peers[id]?.name;
    return name === undefined ? [] : [`${name}:${number(weight)}:${limitText(limit)}`];
  });
  const admission = Object.entries(plan.admission.peers).flatMap(([id, limit]) => {
    const name = Object.hasOwn(shape.peers, id) ? shape.peers[id as keyof Shape['peers']]?.name : undefined;
    return name === undefined ? [] : [`${name}:${limitText(limit)}`];
  });
  const fields = {
    s: `f${shape.slots[key]}`,
    p: policies[plan.policy],
    w: number(plan.local.weight),
    l: limitText(plan.local.limit),
    x: number(plan.rejectShare),
    m: whole(plan.maxInFlight),
    v: number(plan.maxRate),
    q: whole(plan.queueMs),
    t: whole(Math.max(1, plan.timeoutMs)),
    h: whole(plan.hops),
    c: plan.canStart ? 1 : 0,
    // In hexadecimal digits: a sentence has blanks.
    b: Buffer.from(plan.problem ?? '').toString('hex'),
    r: plan.replicas.map(({ id }) => shape.replicas[replicaId(key, id)]?.name).join(','),
    to: shares.join(','),
    ad: admission.join(','),
    ot: limitText(plan.admission.others),
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
};

const limitText = (limit: Limit | undefined): string => {
  switch (limit?.kind) {
    case undefined:
      return '-';
    case 'rate':
      return `r${number(limit.perSecond)}`;
    case 'in-flight':
      return `i${whole(limit.count)}`;
  }
};

/** Digits only, whatever comes: no exponent, no sign, no word. Six of them behind the point, without `toFixed`: it is slow. */
const number = (value: number): string =>
  Number.isFinite(value) ? String(Math.round(Math.min(Math.max(0, value), 1e12) * 1e6) / 1e6) : '0';
const whole = (value: number): string => number(Math.round(value));
