import type { FunctionKey, NodeId } from '../../domain/ids.ts';
import type { Address, PeerPlan, Plan } from '../../routing/plan.ts';

/**
 * A plan, and the names under which HAProxy knows what is in it. Each function has one of a fixed number of backends
 * (`f0` … `f255`) that are there from the start, so that a new one needs no reload; replicas (`r7`) and peers (`p3`)
 * are servers that come and go. Plain JSON: it is kept on disk for the next agent.
 */
export type Shape = {
  readonly plan: Plan;
  /** How many backends for functions there are. */
  readonly pool: number;
  /** The number of its backend, of each function. */
  readonly slots: { readonly [key: FunctionKey]: number };
  readonly replicas: { readonly [id: string]: Named };
  readonly peers: { readonly [id: NodeId]: Named };
  /** Peers by the names they have and had: counters go by name and outlive it. */
  readonly peerNames: { readonly [name: string]: NodeId };
  /** No name is given twice. */
  readonly next: number;
  /** Where the search for a free backend goes on: one that a function left is taken by another as late as can be. */
  readonly cursor: number;
};

/** A server's name, and what it stands for: when that changes, so does the name. */
export type Named = { readonly name: string; readonly where: string };

/** Backends for functions at the start; when there are more functions, twice as many, with one reload. */
export const firstPool = 256;

/** The shape of `plan` that is nearest to `before`: what stays keeps its names. */
export const assign = (before: Shape | undefined, plan: Plan): Shape => {
  const keys = Object.keys(plan.functions) as FunctionKey[];
  let pool = before?.pool ?? firstPool;
  while (pool < keys.length) pool *= 2;
  let next = before?.next ?? 0;
  const name = (letter: string, where: string, known: Named | undefined): Named => {
    if (known?.where === where) return known;
    next += 1;
    return { name: `${letter}${next}`, where };
  };
  const peers: Record<NodeId, Named> = {};
  for (const peer of plan.peers) peers[peer.id] = name('p', peerWhere(peer), before?.peers[peer.id]);
  const peerNames = remembered(before?.peerNames ?? {}, peers);
  const { slots, cursor } = slotsOf(before, keys, pool);
  const replicas: Record<string, Named> = {};
  for (const key of keys) {
    for (const replica of plan.functions[key]?.replicas ?? []) {
      const id = replicaId(key, replica.id);
      const { address, weight, maxInFlight } = replica;
      const where = `${slots[key]} ${addressWhere(address)} ${weight} ${maxInFlight}`;
      replicas[id] = name('r', where, before?.replicas[id]);
    }
  }
  return { plan, pool, slots, replicas, peers, peerNames, next, cursor };
};

const maxPeerNames = 512;

const remembered = (before: Shape['peerNames'], peers: Shape['peers']): Shape['peerNames'] => {
  const present = (Object.entries(peers) as [NodeId, Named][]).map(([id, { name }]) => [name, id] as const);
  const all = Object.entries({ ...before, ...Object.fromEntries(present) });
  return Object.fromEntries(all.slice(-Math.max(maxPeerNames, present.length)));
};

export const replicaId = (key: FunctionKey, id: string): string => `${key} ${id}`;

const addressWhere = (address: Address): string =>
  address.kind === 'unix' ? address.path : `${address.host} ${address.port}`;

const peerWhere = ({ address, publicKey }: PeerPlan): string => `${addressWhere(address)} ${publicKey}`;

const slotsOf = (
  before: Shape | undefined,
  keys: readonly FunctionKey[],
  pool: number,
): { readonly slots: Readonly<Record<FunctionKey, number>>; readonly cursor: number } => {
  const slots: Record<FunctionKey, number> = {};
  const used = new Set<number>();
  for (const key of keys) {
    const slot = before?.slots[key];
    if (slot === undefined) continue;
    slots[key] = slot;
    used.add(slot);
  }
  let cursor = before?.cursor ?? 0;
  for (const key of keys) {
    if (slots[key] !== undefined) continue;
    // The pool holds all of them, so this ends.
    while (used.has(cursor)) cursor = (cursor + 1) % pool;
    slots[key] = cursor;
    used.add(cursor);
    cursor = (cursor + 1) % pool;
  }
  return { slots, cursor };
};
