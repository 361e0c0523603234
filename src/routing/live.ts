import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Bucket } from './bucket.ts';
import { ownPlaces, type Occupancy, type Place, type Places } from './occupancy.ts';
import { flowPlace, nodePlace, peerPlace, replicaPlace, runningPlace, waitingPlace, type Direction } from './places.ts';
import type { FunctionPlan, Limit, Plan, ReplicaPlan } from './plan.ts';
import type { Suspicion } from './suspicion.ts';

/**
 * What a data plane knows at this instant. It is changed in place, by the functions below alone, because it is
 * touched by every request; `decide` and `admit` only read it. Functions and peers in it are bounded by the plan.
 *
 * What a bound speaks of may be shared with other threads that carry out the same plan; the rest is each thread's own.
 * So what was decided may not hold any more when it is begun: `beginLocal`, `beginForward` and `beginReplica` say so, and
 * then it is to be decided again.
 */
export type Live = {
  readonly places: Places;
  /** Invocations running here, of all functions. */
  readonly running: Occupancy;
  readonly functions: Map<FunctionKey, FunctionLive>;
  readonly peers: Map<NodeId, PeerLive>;
};

export type FunctionLive = {
  readonly key: FunctionKey;
  readonly places: Places;
  readonly running: Occupancy;
  /** Requests waiting for room. */
  readonly waiting: Occupancy;
  /** Moving mean of the run time, milliseconds; 0 before the first. */
  serviceMs: number;
  /** Of `maxRate`. */
  readonly rate: Bucket;
  /** Of the route's own limit. */
  readonly local: Bucket;
  /** Invocations in each replica. */
  readonly replicas: Map<string, Occupancy>;
  /** How far each target has come on its way of strides, by peer id; `here` for this node under `weighted`. */
  readonly passes: Map<string, number>;
  /** How far the one chosen last has come: none is beyond. */
  front: number;
  /** What goes to each peer. */
  readonly sent: Map<NodeId, Place>;
  /** What comes from each peer. */
  readonly received: Map<NodeId, Place>;
};

export type PeerLive = {
  /** As the peer last said, and when (milliseconds). */
  inFlight: number;
  slots: number;
  reportedAt: number;
  /** Sent there since it last said so: stale reports would otherwise make everyone choose the same peer. */
  sentSince: number;
  /** Sent there and not answered yet. */
  readonly outstanding: Occupancy;
  rttMs: number;
  readonly suspicion: Suspicion;
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

export const emptyLive = (places: Places = ownPlaces): Live => ({
  places,
  running: places.place(nodePlace).calls,
  functions: new Map(),
  peers: new Map(),
});

export const functionLive = (live: Live, key: FunctionKey): FunctionLive => {
  let found = live.functions.get(key);
  if (found === undefined) {
    const { places } = live;
    const running = places.place(runningPlace(key));
    const waiting = places.place(waitingPlace(key));
    found = {
      key,
      places,
      running: running.calls,
      waiting: waiting.calls,
      serviceMs: 0,
      rate: running.bucket,
      local: waiting.bucket,
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
    const { calls: outstanding, suspicion } = live.places.peer(peerPlace(id));
    found = {
      inFlight: 0,
      slots: 0,
      reportedAt: 0,
      sentSince: 0,
      outstanding,
      rttMs: 0,
      suspicion,
      functions: new Map(),
    };
    live.peers.set(id, found);
  }
  return found;
};

const flow = (function_: FunctionLive, direction: Direction, id: NodeId): Place => {
  const flows = function_[direction];
  let found = flows.get(id);
  if (found === undefined) {
    found = function_.places.place(flowPlace(function_.key, direction, id));
    flows.set(id, found);
  }
  return found;
};

/** As the plan says it, where 0 means none. */
const bound = (most: number): number => (most > 0 ? most : Number.POSITIVE_INFINITY);

const inFlightBound = (limit: Limit | undefined): number =>
  limit?.kind === 'in-flight' ? limit.count : Number.POSITIVE_INFINITY;

const takeFrom = (bucket: Bucket, limit: Limit | undefined, now: number): boolean =>
  limit?.kind !== 'rate' || bucket.take(limit.perSecond, now);

/**
 * A request begins to run here: for this node's users, or for the peer `from`. False, and nothing is changed but perhaps a token
 * taken, where another thread has taken the room that there was.
 */
export const beginLocal = (
  live: Live,
  plan: Plan,
  key: FunctionKey,
  from: NodeId | undefined,
  now: number,
): boolean => {
  const planned = plan.functions[key];
  if (planned === undefined || !live.running.enter(plan.slots)) return false;
  const function_ = functionLive(live, key);
  // What is not local-first does not keep to the limit of the route for itself.
  const own = from === undefined && planned.policy === 'local-first' ? planned.local.limit : undefined;
  if (function_.running.enter(Math.min(bound(planned.maxInFlight), inFlightBound(own)))) {
    if (beginFlow(function_, planned, from, own, now)) return true;
    function_.running.leave();
  }
  live.running.leave();
  return false;
};

const beginFlow = (
  function_: FunctionLive,
  planned: FunctionPlan,
  from: NodeId | undefined,
  own: Limit | undefined,
  now: number,
): boolean => {
  const { maxRate, admission, policy, local } = planned;
  const withinRate = (): boolean => maxRate <= 0 || function_.rate.take(maxRate, now);
  if (from === undefined) {
    if (!withinRate() || !takeFrom(function_.local, own, now)) return false;
    if (policy === 'weighted') advance(function_, here, local.weight);
    return true;
  }
  const received = flow(function_, 'received', from);
  const limit = admission.peers[from] ?? admission.others;
  if (!received.calls.enter(inFlightBound(limit))) return false;
  if (withinRate() && takeFrom(received.bucket, limit, now)) return true;
  received.calls.leave();
  return false;
};

export const endLocal = (live: Live, key: FunctionKey, from: NodeId | undefined): void => {
  const function_ = functionLive(live, key);
  live.running.leave();
  function_.running.leave();
  if (from !== undefined) flow(function_, 'received', from).calls.leave();
};

/**
 * The run itself, inside `beginLocal` and `endLocal`, in the replica with the most room for its weight; undefined when none is
 * ready or all are at their limit.
 */
export const beginReplica = (planned: FunctionPlan, function_: FunctionLive): ReplicaPlan | undefined => {
  for (;;) {
    const replica = pickReplica(planned, function_);
    // One that another thread has filled is seen to be full the next time.
    if (replica === undefined || inReplica(function_, replica.id).enter(bound(replica.maxInFlight))) return replica;
  }
};

/** `tookMs`: of a run that tells how long one takes. */
export const endReplica = (function_: FunctionLive, replica: string, tookMs: number | undefined): void => {
  inReplica(function_, replica).leave();
  if (tookMs === undefined) return;
  function_.serviceMs = function_.serviceMs === 0 ? tookMs : function_.serviceMs * 0.9 + tookMs * 0.1;
};

const inReplica = (function_: FunctionLive, replica: string): Occupancy => {
  const { key, places, replicas } = function_;
  let found = replicas.get(replica);
  if (found === undefined) {
    found = places.place(replicaPlace(key, replica)).calls;
    replicas.set(replica, found);
  }
  return found;
};

/** A request leaves for a peer. False where another thread has taken what the bound on this peer left. */
export const beginForward = (live: Live, plan: Plan, key: FunctionKey, to: NodeId, now: number): boolean => {
  const function_ = functionLive(live, key);
  const share = plan.functions[key]?.peers.find((candidate) => candidate.id === to);
  const sent = flow(function_, 'sent', to);
  if (!sent.calls.enter(inFlightBound(share?.limit))) return false;
  if (!takeFrom(sent.bucket, share?.limit, now)) {
    sent.calls.leave();
    return false;
  }
  const peer = peerLive(live, to);
  peer.sentSince += 1;
  peer.outstanding.enter(Number.POSITIVE_INFINITY);
  const there = peer.functions.get(key);
  if (there !== undefined) there.sentSince += 1;
  advance(function_, to, share?.weight ?? 1);
  return true;
};

export const endForward = (live: Live, key: FunctionKey, to: NodeId): void => {
  flow(functionLive(live, key), 'sent', to).calls.leave();
  peerLive(live, to).outstanding.leave();
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

/** A peer did not answer; it is left alone for a while. */
export const failed = (live: Live, from: NodeId, now: number): void => peerLive(live, from).suspicion.failed(now);

export const answered = (live: Live, from: NodeId): void => peerLive(live, from).suspicion.answered();

/** Forgets what the plan no longer names and nothing of this thread still uses. */
export const prune = (live: Live, plan: Pick<Plan, 'functions' | 'peers'>): void => {
  const peers = new Set(plan.peers.map(({ id }) => id));
  for (const [key, function_] of live.functions) {
    const planned = plan.functions[key];
    if (planned === undefined && isIdle(function_)) live.functions.delete(key);
    for (const flows of [function_.sent, function_.received]) {
      for (const [id, { calls }] of flows) {
        if ((planned === undefined || !peers.has(id)) && calls.own === 0) flows.delete(id);
      }
    }
    for (const id of function_.passes.keys()) if (id !== here && !peers.has(id as NodeId)) function_.passes.delete(id);
    const replicas = new Set(planned?.replicas.map(({ id }) => id));
    for (const [id, { own }] of function_.replicas) if (!replicas.has(id) && own === 0) function_.replicas.delete(id);
  }
  for (const [id, peer] of live.peers) {
    if (!peers.has(id) && peer.outstanding.own === 0) live.peers.delete(id);
    for (const key of peer.functions.keys()) if (plan.functions[key] === undefined) peer.functions.delete(key);
  }
};

const isIdle = ({ running, waiting, sent }: FunctionLive): boolean =>
  running.own === 0 && waiting.own === 0 && ![...sent.values()].some(({ calls }) => calls.own > 0);

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

const pickReplica = (plan: FunctionPlan, function_: FunctionLive): ReplicaPlan | undefined => {
  let best: ReplicaPlan | undefined;
  let bestLoad = Number.POSITIVE_INFINITY;
  for (const replica of plan.replicas) {
    const running = function_.replicas.get(replica.id)?.count ?? 0;
    if (replica.maxInFlight > 0 && running >= replica.maxInFlight) continue;
    const load = (running + 1) / replica.weight;
    if (load < bestLoad) {
      best = replica;
      bestLoad = load;
    }
  }
  return best;
};
