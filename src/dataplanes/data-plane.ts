import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import type { Plan, TcpAddress } from '../routing/plan.ts';

/**
 * What carries requests: it owns the public listener and the peer listener and is told what should hold. It lives in
 * a process of its own, goes on with the last plan when the agent is gone, and is adopted by the next one.
 *
 * The same plan means the same behaviour in every implementation (`data-plane.conformance.ts`).
 */
export interface DataPlane {
  /** Starts the process, or adopts the one that runs. `unavailable` names the port that is in use. */
  start(): Promise<void>;
  /** Takes nothing new, finishes what runs for at most `drainMs`, and ends the process. */
  stop(drainMs: number): Promise<void>;
  /** Leaves the process as it is, for the next agent. */
  release(): Promise<void>;
  /** Where clients and peers reach it; ports as bound. */
  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress };
  /**
   * Resolves when the plan is in force. A plan older than the present one is ignored. `unavailable` while the process is
   * being started again, or does not answer: the plan is put in force as soon as it is there, and may be applied again.
   */
  apply(plan: Plan): Promise<void>;
  /** The plan that an adopted process carried out before; undefined when it was started anew, or has none. */
  carried(): Promise<Plan | undefined>;
  /** What peers said of their load through other channels (gossip), for planes that decide per request. */
  hint(peers: readonly PeerHint[]): void;
  observe(): Promise<Observation>;
  /** Its instruments in the form of prom-client's `getMetricsAsJSON`, to be merged into the node's `/metrics`. */
  metrics(): Promise<readonly unknown[]>;
  /** Called when calls wait for replicas that do not exist yet: `wanted` is how many would serve them at once. */
  onDemand(listener: (demand: Demand) => void): () => void;
}

export type Demand = {
  readonly key: FunctionKey;
  /** Invocations running or waiting for this function at this node. */
  readonly inFlight: number;
};

export type PeerHint = {
  readonly id: NodeId;
  readonly inFlight: number;
  readonly slots: number;
  readonly functions: { readonly [key: FunctionKey]: PeerFunctionHint };
};

export type PeerFunctionHint = {
  readonly inFlight: number;
  /** How many could be in flight; 0 = no bound of its own. */
  readonly limit: number;
  /** Ready; 0 = the next call starts one. */
  readonly replicas: number;
};

/** Counters grow from the start of the data plane's process and survive plans and agents. */
export type Observation = {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** When this process started, milliseconds since the epoch: counters begin there. */
  readonly since: number;
  readonly planVersion: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly functions: { readonly [key: FunctionKey]: FunctionObservation };
  readonly peers: { readonly [id: NodeId]: PeerObservation };
};

export type FunctionObservation = {
  readonly inFlight: number;
  readonly queued: number;
  /** Calls that entered at this node. */
  readonly entered: number;
  /** Calls that peers sent, by peer, admitted or not. */
  readonly received: { readonly [id: NodeId]: number };
  /** Calls run by replicas of this node. */
  readonly served: number;
  /** Calls handed to each peer and accepted there. */
  readonly forwarded: { readonly [id: NodeId]: number };
  readonly rejected: { readonly [reason in Reason]?: number };
  /** Moving mean of the run time, milliseconds. */
  readonly serviceMs: number;
  /**
   * Runs at this node that tell how long one takes, and the sum of their times, milliseconds: those that were answered with less
   * than 500, and those whose time ran out.
   */
  readonly ran: number;
  readonly ranMs: number;
  /** Calls, of users and of peers, that came while all slots of the node were taken, or as many ran as this function may have. */
  readonly foundFull: number;
  readonly foundLimit: number;
};

/** Of a function that was never called. */
export const nothingObserved: FunctionObservation = {
  inFlight: 0,
  queued: 0,
  entered: 0,
  received: {},
  served: 0,
  forwarded: {},
  rejected: {},
  serviceMs: 0,
  ran: 0,
  ranMs: 0,
  foundFull: 0,
  foundLimit: 0,
};

export type PeerObservation = {
  readonly rttMs: number;
  readonly inFlight: number;
  readonly slots: number;
  /** Calls this node has under way there. */
  readonly outstanding: number;
};
