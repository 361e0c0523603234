import { functionKey, nodeId, type FunctionKey, type NodeId } from '../domain/ids.ts';
import { emptyLive, peerLive, type Live } from './live.ts';
import type { FunctionPlan, PeerShare, Plan, ReplicaPlan } from './plan.ts';

/** Pieces of plans, so that a test says only what it is about. */
export const key: FunctionKey = functionKey('f');

export const replica = (id = 'r', changes: Partial<ReplicaPlan> = {}): ReplicaPlan => ({
  id,
  address: { kind: 'unix', path: `/run/${id}` },
  version: '1',
  weight: 1,
  maxInFlight: 0,
  ...changes,
});

export const share = (id: string, weight = 1, changes: Partial<PeerShare> = {}): PeerShare => ({
  id: nodeId(id),
  weight,
  ...changes,
});

export const functionPlan = (changes: Partial<FunctionPlan> = {}): FunctionPlan => ({
  policy: 'least-loaded',
  local: { weight: 1 },
  peers: [],
  rejectShare: 0,
  admission: { peers: {} },
  replicas: [replica()],
  canStart: false,
  maxInFlight: 0,
  maxRate: 0,
  queueMs: 1_000,
  timeoutMs: 60_000,
  hops: 1,
  ...changes,
});

export const planOf = (function_: FunctionPlan, changes: Partial<Plan> = {}): Plan => ({
  version: 1,
  node: { id: nodeId('self'), name: 'self' },
  slots: 4,
  draining: false,
  peers: function_.peers.map(({ id }) => peerPlan(id)),
  functions: { [key]: function_ },
  ...changes,
});

const peerPlan = (id: NodeId) => ({
  id,
  name: id,
  address: { kind: 'tcp', host: '127.0.0.1', port: 1 } as const,
  publicKey: '',
  slots: 4,
  rttMs: 0.2,
});

/** Peers of the plan, idle, each with `slots`. */
export const liveOf = (plan: Plan, slots = 4): Live => {
  const live = emptyLive();
  for (const { id } of plan.peers) Object.assign(peerLive(live, id), { slots, rttMs: 0.2 });
  return live;
};

/** Freezes what `decide` and `admit` must not change; maps are made to refuse, because freezing leaves them open. */
export const frozen = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    for (const inner of value.values()) frozen(inner);
    const refuse = (): never => {
      throw new Error('what decides changed the state it was handed');
    };
    Object.assign(value, { set: refuse, delete: refuse, clear: refuse });
    return value;
  }
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
};
