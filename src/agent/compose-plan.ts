import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionPlan, PeerPlan, Plan, ReplicaPlan, Route, Routes } from '../routing/plan.ts';
import { localRoute } from '../routing/plan.ts';
import type { Hosted } from './hosted.ts';

export type PlanFacts = {
  readonly version: number;
  readonly node: Plan['node'];
  readonly slots: number;
  readonly draining: boolean;
  readonly peers: readonly PeerPlan[];
  readonly hosted: ReadonlyMap<FunctionKey, Hosted>;
  readonly replicas: (hosted: Hosted) => readonly ReplicaPlan[];
  readonly routes: Routes;
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
  const { settings, spec, ready } = hosted;
  return {
    ...route,
    replicas: spec === undefined ? [] : facts.replicas(hosted),
    canStart: spec !== undefined && ready,
    maxInFlight: settings.perReplica * maxReplicasOf(hosted, facts.maxReplicas),
    maxRate: settings.maxRate,
    queueMs: facts.queueMs,
    timeoutMs: settings.timeoutMs ?? facts.timeoutMs,
    hops,
  };
};

export const maxReplicasOf = ({ settings }: Hosted, ofNode: number): number =>
  settings.max > 0 ? Math.min(settings.max, ofNode) : ofNode;
