import type { FunctionKey, NodeId } from '../domain/ids.ts';
import { fullBucket, take, type Bucket } from './bucket.ts';
import type { FunctionPlan, Limit, ReplicaPlan } from './plan.ts';

/**
 * What a data plane knows at this instant. It is changed in place, by the functions below alone, because it is
 * touched by every request; `decide` and `admit` only read it. Functions and peers in it are bounded by the plan.
 */
export type Live = {
  /** Invocations running here, of all functions. */
  inFlight: number;
  readonly functions: Map<FunctionKey, FunctionLive>;
  readonly peers: Map<NodeId, PeerLive>;
};

export type FunctionLive = {
  inFlight: number;
  /** Requests waiting for room. */
  queued: number;
  /** Moving mean of the run time, milliseconds; 0 before the first. */
  serviceMs: number;
  /** Of `maxRate`. */
  rate: Bucket | undefined;
  /** Of the route's own limit. */
  local: Bucket | undefined;
  /** Invocations in each replica. */
  readonly replicas: Map<string, number>;
  /** How far each target has come on its way of strides, by peer id; `here` for this node under `weighted`. */
  readonly passes: Map<string, number>;
  /** How far the one chosen last has come: none is beyond. */
  front: number;
  /** What goes to each peer. */
  readonly sent: Map<NodeId, Flow>;
  /** What comes from each peer. */
  readonly received: Map<NodeId, Flow>;
};

export type Flow = { inFlight: number; bucket: Bucket | undefined };

export type PeerLive = {
  /** As the peer last said, and when (milliseconds). */
  inFlight: number;
  slots: number;
  reportedAt: number;
  /** Sent there since it last said so: stale reports would otherwise make everyone choose the same peer. */
  sentSince: number;
  /** Sent there and not answered yet. */
  outstanding: number;
  rttMs: number;
  /** Not asked before this time (milliseconds), because it did not answer. */
  suspectUntil: number;
  /** How often in a row it did not answer. */
  failures: number;
  readonly functions: Map<FunctionKey, PeerFunctionLive>;
};

export type PeerFunctionLive = {
  inFlight: number;
  /** 0 = bounded by the slots alone. */
  limit: number;
  /** Ready there, as far as is known: 0 means that a call waits for a start. */
  replicas: number | undefined;
  sentSince: number;
  closedUntil: number;
};

export const here = 'here';

export const emptyLive = (): Live => ({ inFlight: 0, functions: new Map(), peers: new Map() });

export const functionLive = (live: Live, key: FunctionKey): FunctionLive => {
  let found = live.functions.get(key);
  if (found === undefined) {
    found = {
      inFlight: 0,
      queued: 0,
      serviceMs: 0,
      rate: undefined,
      local: undefined,
      replicas: new Map(),
      passes: new Map(),
      front: 0,
      sent: new Map(),
      received: new Map(),
    };
    live.functions.set(key, found);
  }
  return found;
};

export const peerLive = (live: Live, id: NodeId): PeerLive => {
  let found = live.peers.get(id);
  if (found === undefined) {
    found = {
      inFlight: 0,
      slots: 0,
      reportedAt: 0,
      sentSince: 0,
      outstanding: 0,
      rttMs: 0,
      suspectUntil: 0,
      failures: 0,
      functions: new Map(),
    };
    live.peers.set(id, found);
  }
  return found;
};

const flow = (flows: Map<NodeId, Flow>, id: NodeId): Flow => {
  let found = flows.get(id);
  if (found === undefined) {
    found = { inFlight: 0, bucket: undefined };
    flows.set(id, found);
  }
  return found;
};

const takeFrom = (bucket: Bucket | undefined, limit: Limit | undefined, now: number): Bucket | undefined => {
  if (limit?.kind !== 'rate') return bucket;
  const taken = bucket ?? fullBucket(limit.perSecond, now);
  take(taken, limit.perSecond, now);
  return taken;
};

/** A request begins to run here: for this node's users, or for the peer `from`. */
export const beginLocal = (
  live: Live,
  key: FunctionKey,
  plan: FunctionPlan,
  from: NodeId | undefined,
  now: number,
): void => {
  const function_ = functionLive(live, key);
  live.inFlight += 1;
  function_.inFlight += 1;
  if (plan.maxRate > 0) {
    function_.rate ??= fullBucket(plan.maxRate, now);
    take(function_.rate, plan.maxRate, now);
  }
  if (from === undefined) {
    function_.local = takeFrom(function_.local, plan.local.limit, now);
    if (plan.policy === 'weighted') advance(function_, here, plan.local.weight);
    return;
  }
  const received = flow(function_.received, from);
  received.inFlight += 1;
  received.bucket = takeFrom(received.bucket, plan.admission.peers[from] ?? plan.admission.others, now);
};

export const endLocal = (live: Live, key: FunctionKey, from: NodeId | undefined): void => {
  const function_ = functionLive(live, key);
  live.inFlight -= 1;
  function_.inFlight -= 1;
  if (from !== undefined) flow(function_.received, from).inFlight -= 1;
};

/** The run itself, inside `beginLocal` and `endLocal`: which replica has it, and how long it took. */
export const beginReplica = (function_: FunctionLive, replica: string): void => {
  function_.replicas.set(replica, (function_.replicas.get(replica) ?? 0) + 1);
};

export const endReplica = (function_: FunctionLive, replica: string, tookMs: number | undefined): void => {
  const running = (function_.replicas.get(replica) ?? 1) - 1;
  if (running > 0) function_.replicas.set(replica, running);
  else function_.replicas.delete(replica);
  if (tookMs === undefined) return;
  function_.serviceMs = function_.serviceMs === 0 ? tookMs : function_.serviceMs * 0.9 + tookMs * 0.1;
};

/** A request leaves for a peer. */
export const beginForward = (live: Live, key: FunctionKey, plan: FunctionPlan, to: NodeId, now: number): void => {
  const function_ = functionLive(live, key);
  const peer = peerLive(live, to);
  peer.sentSince += 1;
  peer.outstanding += 1;
  const there = peer.functions.get(key);
  if (there !== undefined) there.sentSince += 1;
  const share = plan.peers.find((candidate) => candidate.id === to);
  const sent = flow(function_.sent, to);
  sent.inFlight += 1;
  sent.bucket = takeFrom(sent.bucket, share?.limit, now);
  advance(function_, to, share?.weight ?? 1);
};

export const endForward = (live: Live, key: FunctionKey, to: NodeId): void => {
  flow(functionLive(live, key).sent, to).inFlight -= 1;
  peerLive(live, to).outstanding -= 1;
};

/** What a peer says of its own load, on an answer or by gossip. */
export type Report = {
  readonly inFlight: number;
  readonly slots: number;
  readonly function?: { readonly inFlight: number; readonly limit: number; readonly replicas?: number };
};

export const reported = (live: Live, from: NodeId, key: FunctionKey | undefined, report: Report, now: number): void => {
  const peer = peerLive(live, from);
  peer.reportedAt = now;
  peer.inFlight = report.inFlight;
  peer.slots = report.slots;
  peer.sentSince = 0;
  if (key === undefined || report.function === undefined) return;
  const { inFlight, limit, replicas } = report.function;
  const there = peer.functions.get(key);
  peer.functions.set(key, {
    inFlight,
    limit,
    replicas: replicas ?? there?.replicas,
    sentSince: 0,
    closedUntil: there?.closedUntil ?? 0,
  });
};

/** A peer refused this function for a reason that its load does not show (a rate, no replica): let it be for a while. */
export const closed = (live: Live, from: NodeId, key: FunctionKey, until: number): void => {
  const peer = peerLive(live, from);
  const there = peer.functions.get(key) ?? {
    inFlight: 0,
    limit: 0,
    replicas: undefined,
    sentSince: 0,
    closedUntil: 0,
  };
  peer.functions.set(key, { ...there, closedUntil: until });
};

/** A peer did not answer: pauses of 1 s, 2 s, 4 s … 30 s, until it answers again. */
export const failed = (live: Live, from: NodeId, now: number): void => {
  const peer = peerLive(live, from);
  // Calls that were under way together fail together: that is one failure, not a reason to shun it for longer.
  if (now < peer.suspectUntil) return;
  peer.failures = Math.min(peer.failures + 1, 6);
  peer.suspectUntil = now + Math.min(30_000, 500 * 2 ** peer.failures);
};

export const answered = (live: Live, from: NodeId): void => {
  const peer = peerLive(live, from);
  peer.failures = 0;
  peer.suspectUntil = 0;
};

/** Forgets what the plan no longer names and nothing still uses. */
export const prune = (live: Live, functions: ReadonlySet<FunctionKey>, peers: ReadonlySet<NodeId>): void => {
  for (const [key, function_] of live.functions) {
    const idle = function_.inFlight === 0 && function_.queued === 0 && ![...function_.sent.values()].some(busy);
    if (!functions.has(key) && idle) live.functions.delete(key);
    for (const flows of [function_.sent, function_.received]) {
      for (const [id, { inFlight }] of flows) if (!peers.has(id) && inFlight === 0) flows.delete(id);
    }
    for (const id of function_.passes.keys()) if (id !== here && !peers.has(id as NodeId)) function_.passes.delete(id);
  }
  for (const [id, peer] of live.peers) {
    if (!peers.has(id) && peer.outstanding === 0) live.peers.delete(id);
    for (const key of peer.functions.keys()) if (!functions.has(key)) peer.functions.delete(key);
  }
};

const busy = (flow: Flow): boolean => flow.inFlight > 0;

/**
 * Stride scheduling (Waldspurger and Weihl, 1995): the target that has come least far is next; each step is 1/weight
 * long. A newcomer, or one that was closed for a while, starts one step behind the front, where one that is never
 * skipped stands at the least: so it is next, and does not take everything until it has caught up.
 */
const advance = (function_: FunctionLive, target: string, weight: number): void => {
  if (weight <= 0) return;
  const stride = 1 / weight;
  const from = Math.max(function_.passes.get(target) ?? 0, function_.front - stride);
  function_.passes.set(target, from + stride);
  function_.front = Math.max(function_.front, from + stride);
};

/** The replica with the most room for its weight, or undefined when none is ready or all are at their limit. */
export const pickReplica = (plan: FunctionPlan, function_: FunctionLive): ReplicaPlan | undefined => {
  let best: ReplicaPlan | undefined;
  let bestLoad = Number.POSITIVE_INFINITY;
  for (const replica of plan.replicas) {
    const running = function_.replicas.get(replica.id) ?? 0;
    if (replica.maxInFlight > 0 && running >= replica.maxInFlight) continue;
    const load = (running + 1) / replica.weight;
    if (load < bestLoad) {
      best = replica;
      bestLoad = load;
    }
  }
  return best;
};
