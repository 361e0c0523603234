import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import { burst, type Bucket } from './bucket.ts';
import { here, type FunctionLive, type Live, type PeerLive } from './live.ts';
import type { Place } from './occupancy.ts';
import type { FunctionPlan, Limit, PeerShare, Plan } from './plan.ts';

/** What happens to one request that entered at this node. */
export type Decision =
  /** Run it here: there is room. Where no replica is ready yet, it holds its room while one starts. */
  | { readonly kind: 'serve' }
  | { readonly kind: 'forward'; readonly peer: NodeId }
  /** No room anywhere now: wait for some, as long as the queue lets it; `reason` is what a refusal would say. */
  | { readonly kind: 'wait'; readonly reason: Reason; readonly status: number }
  | { readonly kind: 'refuse'; readonly reason: Reason; readonly status: number };

export type RouteRequest = {
  readonly key: FunctionKey;
  /** Milliseconds of the clock by which the live state was changed. */
  readonly now: number;
  /** Peers that refused it already. */
  readonly tried: readonly NodeId[];
  /** How often it was passed on before it came here. */
  readonly hops: number;
  /** True when it was decided before and waits, or comes back from a peer: its share of refusals is drawn once. */
  readonly again?: boolean;
};

/** How many peers are asked for one request before it waits. */
export const maxTries = 2;

/** How many peers are compared (balancing.md: the power of d choices, drawn in proportion to their slots). */
const choices = 3;

/** Below this load a peer counts as cold, and the round trip decides. */
const coldLoad = 0.8;

/** The weight of a round trip, in service times, against load. */
const rttWeight = 0.25;

/**
 * What a start there counts, against load. Little: it takes tens of milliseconds, once, and a federation whose
 * neighbours stay cold is slow when it needs them.
 */
const startWeight = 0.02;

/** Where all are cold, load decides between round trips that differ by less than a few milliseconds. */
const tieWeight = 0.05;

/**
 * Decides from the plan and the present state. Reads both, changes neither; the same `random` gives the same answer.
 */
export const decide = (plan: Plan, live: Live, request: RouteRequest, random: () => number): Decision => {
  const function_ = plan.functions[request.key];
  if (function_ === undefined) return refuse('unknown-function', 404);
  const fresh = request.again !== true;
  if (fresh && function_.rejectShare > 0 && random() < function_.rejectShare) return refuse('full', 503);

  const state = live.functions.get(request.key);
  const room = plan.draining ? 'none' : localRoom(plan, function_, live, state, request.now);
  const peers = request.hops < function_.hops && request.tried.length < maxTries;
  const open = peers ? openPeers(function_, live, state, request) : [];

  switch (function_.policy) {
    case 'weighted':
      return byWeight(function_, state, room, open, plan.draining);
    case 'local-first':
      if (room === 'yes' && withinOwnLimit(function_, state, request.now)) return serve;
      return forwardTo(leastFar(open, state), room, plan.draining, function_);
    case 'ranked':
      if (room === 'yes') return serve;
      return forwardTo(withRoom(open, live, state, request)[0], room, plan.draining, function_);
    case 'least-loaded':
      if (room === 'yes') return serve;
      return forwardTo(leastLoaded(open, live, state, request, random), room, plan.draining, function_);
  }
};

/** Whether one more invocation fits here. */
export type Room = 'yes' | 'slots' | 'limit' | 'rate' | 'none';

export const localRoom = (
  plan: Plan,
  function_: FunctionPlan,
  live: Live,
  state: FunctionLive | undefined,
  now: number,
): Room => {
  if (function_.replicas.length === 0 && !function_.canStart) return 'none';
  if (live.running.count >= plan.slots) return 'slots';
  return ownRoom(function_, state, now);
};

/** Without a look at the slots, which are for all functions. */
const ownRoom = (function_: FunctionPlan, state: FunctionLive | undefined, now: number): 'yes' | 'limit' | 'rate' => {
  if (function_.maxInFlight > 0 && (state?.running.count ?? 0) >= function_.maxInFlight) return 'limit';
  if (function_.maxRate > 0 && tokens(state?.rate, function_.maxRate, now) < 1) return 'rate';
  return 'yes';
};

/** Whether a slot of this node is all that one more call of the function wants to run here. */
export const wantsSlot = (
  plan: Plan,
  function_: FunctionPlan,
  live: Live,
  state: FunctionLive | undefined,
  now: number,
): boolean => {
  if (localRoom(plan, function_, live, state, now) !== 'slots' || ownRoom(function_, state, now) !== 'yes')
    return false;
  if (function_.policy === 'weighted') return function_.local.weight > 0;
  return function_.policy !== 'local-first' || withinOwnLimit(function_, state, now);
};

const tokens = (bucket: Bucket | undefined, perSecond: number, now: number): number =>
  bucket === undefined ? burst(perSecond) : bucket.tokens(perSecond, now);

/** Whether `flow` may take one more under `limit`. */
export const within = (limit: Limit | undefined, flow: Place | undefined, now: number): boolean => {
  switch (limit?.kind) {
    case undefined:
      return true;
    case 'rate':
      return tokens(flow?.bucket, limit.perSecond, now) >= 1;
    case 'in-flight':
      return (flow?.calls.count ?? 0) < limit.count;
  }
};

const withinOwnLimit = (function_: FunctionPlan, state: FunctionLive | undefined, now: number): boolean => {
  const { limit, weight } = function_.local;
  if (weight <= 0) return false;
  return within(limit, state && { calls: state.running, bucket: state.local }, now);
};

/** The peers that may be asked for this request at all. */
const openPeers = (
  function_: FunctionPlan,
  live: Live,
  state: FunctionLive | undefined,
  { key, now, tried }: RouteRequest,
): readonly PeerShare[] =>
  function_.peers.filter((share) => {
    if (share.weight <= 0 || tried.includes(share.id)) return false;
    const peer = live.peers.get(share.id);
    if (peer === undefined) return false;
    if (peer.suspicion.until > now || (peer.functions.get(key)?.closedUntil ?? 0) > now) return false;
    return within(share.limit, state?.sent.get(share.id), now);
  });

/** What is known of a peer ages: after this long, or a service time, one of the calls reported there is taken to be over. */
const staleMs = 50;

/**
 * A peer's load: what it last said, plus what was sent there since, less what will have ended by now, and never less
 * than what this node has under way there. Without ageing a peer once reported full, or one that fell silent, would not
 * be asked again until it spoke. Infinite where its size is unknown.
 */
const loadOf = (
  id: NodeId,
  peer: PeerLive | undefined,
  state: FunctionLive | undefined,
  { key, now }: Pick<RouteRequest, 'key' | 'now'>,
): number => {
  if (peer === undefined || peer.slots <= 0) return Number.POSITIVE_INFINITY;
  const over = Math.max(0, Math.floor((now - peer.reportedAt) / Math.max(staleMs, state?.serviceMs ?? 0)));
  const node = Math.max(peer.inFlight + peer.sentSince - over, peer.outstanding.count) / peer.slots;
  const there = peer.functions.get(key);
  if (there === undefined || there.limit <= 0) return node;
  const mine = state?.sent.get(id)?.calls.count ?? 0;
  return Math.max(node, Math.max(there.inFlight + there.sentSince - over, mine) / there.limit);
};

/** This node has no room when it asks, so a peer that has some is downhill. */
const withRoom = (
  open: readonly PeerShare[],
  live: Live,
  state: FunctionLive | undefined,
  request: RouteRequest,
): readonly PeerShare[] => open.filter((share) => loadOf(share.id, live.peers.get(share.id), state, request) < 1);

/**
 * Of the peers with room a few are drawn in proportion to their size; the score weighs load above `coldLoad` against
 * the round trip in units of the service time (balancing.md).
 */
const leastLoaded = (
  open: readonly PeerShare[],
  live: Live,
  state: FunctionLive | undefined,
  request: RouteRequest,
  random: () => number,
): PeerShare | undefined => {
  const serviceMs = Math.max(1, state?.serviceMs ?? 0);
  let best: PeerShare | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const share of draw(withRoom(open, live, state, request), choices, random)) {
    const peer = live.peers.get(share.id);
    const load = loadOf(share.id, peer, state, request);
    const start = peer?.functions.get(request.key)?.replicas === 0 ? startWeight : 0;
    const score = Math.max(load, coldLoad) + start + (rttWeight * (peer?.rttMs ?? 0)) / serviceMs + tieWeight * load;
    if (score < bestScore) {
      best = share;
      bestScore = score;
    }
  }
  return best;
};

/** Up to `count` different shares, drawn in proportion to their weights. */
const draw = (shares: readonly PeerShare[], count: number, random: () => number): readonly PeerShare[] => {
  if (shares.length <= count) return shares;
  const left = [...shares];
  const drawn: PeerShare[] = [];
  while (drawn.length < count) {
    const total = left.reduce((sum, share) => sum + share.weight, 0);
    let at = random() * total;
    const index = left.findIndex((share) => (at -= share.weight) < 0);
    drawn.push(...left.splice(index === -1 ? left.length - 1 : index, 1));
  }
  return drawn;
};

/** Of those that may be asked, the one that is furthest behind its share. */
const leastFar = (open: readonly PeerShare[], state: FunctionLive | undefined): PeerShare | undefined => {
  let best: PeerShare | undefined;
  let bestPass = Number.POSITIVE_INFINITY;
  for (const share of open) {
    const pass = (state?.passes.get(share.id) ?? 0) + 1 / share.weight;
    if (pass < bestPass) {
      best = share;
      bestPass = pass;
    }
  }
  return best;
};

const byWeight = (
  function_: FunctionPlan,
  state: FunctionLive | undefined,
  room: Room,
  open: readonly PeerShare[],
  draining: boolean,
): Decision => {
  const peer = leastFar(open, state);
  const { weight } = function_.local;
  if (room === 'yes' && weight > 0) {
    const pass = (state?.passes.get(here) ?? 0) + 1 / weight;
    if (peer === undefined || pass <= (state?.passes.get(peer.id) ?? 0) + 1 / peer.weight) return serve;
  }
  return forwardTo(peer, room, draining, function_);
};

const serve: Decision = { kind: 'serve' };
const refuse = (reason: Reason, status: number): Decision => ({ kind: 'refuse', reason, status });

/** To `peer`, if there is one; else what the state of this node means for a request that nobody takes. */
const forwardTo = (peer: PeerShare | undefined, room: Room, draining: boolean, function_: FunctionPlan): Decision => {
  if (peer !== undefined) return { kind: 'forward', peer: peer.id };
  if (draining) return refuse('draining', 503);
  switch (room) {
    case 'none':
      return function_.peers.length > 0 ? wait('full', 503) : refuse(nobodyRuns(function_), 503);
    case 'slots':
      return wait('full', 503);
    case 'limit':
      return wait('full', 429);
    case 'rate':
      return wait('over-rate', 429);
    case 'yes':
      return keptFree(function_);
  }
};

/** There is room here, but the route keeps it free: by a limit of its own (a rate that was recalculated), or by no weight. */
const keptFree = ({ local }: FunctionPlan): Decision => {
  if (local.weight <= 0 || local.limit === undefined) return wait('full', 503);
  return wait(local.limit.kind === 'rate' ? 'over-rate' : 'full', 429);
};

/** Why a call that finds no replica and no start is refused. */
export const nobodyRuns = ({ problem }: FunctionPlan): Reason =>
  problem === undefined ? 'no-replica' : 'start-failed';

/** Why a call that waited in vain is refused: where no peer runs the function either, it is not room that was wanting. */
export const waitedInVain = (function_: FunctionPlan | undefined): Reason =>
  function_?.problem !== undefined && function_.peers.every(({ weight }) => weight <= 0)
    ? 'start-failed'
    : 'queue-timeout';

const wait = (reason: Reason, status: number): Decision => ({ kind: 'wait', reason, status });
