import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { FunctionPlan, PeerPlan, Plan, ReplicaPlan, Route, Routes } from '../routing/plan.ts';
import { localRoute } from '../routing/plan.ts';
import type { Hosted } from './hosted.ts';

export type PlanFacts = {
  readonly version: number;
  readonly node: Plan['node'];
  readonly slots: number;
  /** Calls of the function at once, where its replicas take `ofReplicas`; 0 = no bound. */
  readonly limitOf: (key: FunctionKey, ofReplicas: number) => number;
  readonly draining: boolean;
  readonly peers: readonly PeerPlan[];
  readonly hosted: ReadonlyMap<FunctionKey, Hosted>;
  readonly replicas: (hosted: Hosted) => readonly ReplicaPlan[];
  /** Why no replica of it can be started here, where it lives here; else whether that is so at a peer where it does. */
  readonly problem: (hosted: Hosted) => string | undefined;
  readonly routes: Routes;
  /** The peers that may say at any moment that the function lives there. */
  readonly homesToCome: (hosted: Hosted) => readonly NodeId[];
  /** Most replicas of one function. */
  readonly maxReplicas: number;
  readonly queueMs: number;
  readonly timeoutMs: number;
};

/** Times a request is passed on; a strategy cannot raise it. */
const hops = 1;

/** Joins what the strategy decided with what is there. A function without a route yet stays here. */
export const composePlan = (facts: PlanFacts): Plan => {
  const functions: Record<FunctionKey, FunctionPlan> = {};
  for (const hosted of facts.hosted.values()) {
    functions[hosted.key] = functionPlan(facts, hosted, facts.routes[hosted.key] ?? localRoute);
  }
  const { version, node, slots, draining, peers } = facts;
  return { version, node, slots, draining, peers, functions };
};

const functionPlan = (facts: PlanFacts, hosted: Hosted, route: Route): FunctionPlan => {
  const { key, settings, spec, ready } = hosted;
  // A share of no weight sends nothing; but calls wait as long as there is one.
  const peers = route.peers.length > 0 ? route.peers : facts.homesToCome(hosted).map((id) => ({ id, weight: 0 }));
  const replicas = spec === undefined ? [] : facts.replicas(hosted);
  const problem = replicas.length === 0 ? facts.problem(hosted) : undefined;
  return {
    ...route,
    peers,
    replicas,
    // Where nobody else runs it, or will at any moment, calls wait until it is made ready here.
    canStart: spec !== undefined && problem === undefined && (ready || peers.length === 0),
    ...(problem !== undefined && { problem }),
    maxInFlight: facts.limitOf(key, settings.perReplica * maxReplicasOf(hosted, facts.maxReplicas)),
    maxRate: settings.maxRate,
    queueMs: facts.queueMs,
    timeoutMs: settings.timeoutMs ?? facts.timeoutMs,
    hops,
  };
};

export const maxReplicasOf = ({ settings }: Hosted, ofNode: number): number =>
  settings.max > 0 ? Math.min(settings.max, ofNode) : ofNode;
