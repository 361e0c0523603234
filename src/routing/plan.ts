import type { FunctionKey, NodeId } from '../domain/ids.ts';

/**
 * The plan: what a data plane must do with each request until it is told otherwise. Strategies decide the routes in
 * it; the agent joins them with the replicas that are there. It is plain JSON, so that it travels to the data plane's
 * process and is kept on disk for the time when there is no agent.
 */
export type Plan = {
  /** Grows with every change made by this node; a data plane ignores a plan older than the one it has. */
  readonly version: number;
  readonly node: { readonly id: NodeId; readonly name: string };
  /** How many invocations this node runs at once; at least 1. */
  readonly slots: number;
  /** True once the node is leaving: nothing new is taken, what runs is finished. */
  readonly draining: boolean;
  readonly peers: readonly PeerPlan[];
  readonly functions: { readonly [key: FunctionKey]: FunctionPlan };
};

/** A peer, and how to reach it. */
export type PeerPlan = {
  readonly id: NodeId;
  readonly name: string;
  /** Its peer listener. */
  readonly address: TcpAddress;
  /** Its Ed25519 key, 32 bytes in hexadecimal: the TLS channel is checked against it. */
  readonly publicKey: string;
  readonly slots: number;
  /** Round trip, milliseconds. */
  readonly rttMs: number;
};

export type TcpAddress = { readonly kind: 'tcp'; readonly host: string; readonly port: number };
export type Address = TcpAddress | { readonly kind: 'unix'; readonly path: string };

/** A bound on what goes to one target, or comes from one peer. */
export type Limit =
  /** Requests per second, held by a token bucket; may be fractional. */
  | { readonly kind: 'rate'; readonly perSecond: number }
  /** Requests at the same time. */
  | { readonly kind: 'in-flight'; readonly count: number };

/**
 * How a request finds its target.
 *
 * - `weighted`: every request is shared out by weight over here and the peers.
 * - `local-first`: here up to `local.limit` and the node's room; what is over goes to the peers by weight.
 * - `least-loaded`: here while there is room, else the least loaded of a few peers (`routing/decide.ts`).
 * - `ranked`: the first in order that has room: here, then `peers` as they are listed.
 */
export type Policy = 'weighted' | 'local-first' | 'least-loaded' | 'ranked';

/** What a strategy decides for one function. */
export type Route = {
  readonly policy: Policy;
  /** This node's own share; weight 0 sends nothing here (under `weighted`), a limit bounds it. */
  readonly local: { readonly weight: number; readonly limit?: Limit };
  /** The peers that may be asked; one that is not listed never is. Weights are relative, at least 0. */
  readonly peers: readonly PeerShare[];
  /** Part of the requests refused at once, 0..1. */
  readonly rejectShare: number;
  /** What peers may send here: `peers` where it names the sender, else `others`; absent means no bound. */
  readonly admission: {
    readonly peers: { readonly [peer: NodeId]: Limit };
    readonly others?: Limit;
  };
};

/** One of no weight is sent nothing: it may become a place for the function, and calls that have none wait for that. */
export type PeerShare = { readonly id: NodeId; readonly weight: number; readonly limit?: Limit };

export type Routes = { readonly [key: FunctionKey]: Route };

/** A route, joined with what is known of the function at this node. */
export type FunctionPlan = Route & {
  /** Ready replicas at this node. */
  readonly replicas: readonly ReplicaPlan[];
  /** Whether a replica is started here when a call finds none free. */
  readonly canStart: boolean;
  /**
   * Set while no replica can be started here, or at the nodes where the function lives instead: a sentence for those who call it. It
   * quotes nothing of the deployment or of what a program said.
   */
  readonly problem?: string;
  /** Invocations at once in all replicas that this node may start; 0 = bounded by the node's slots only. */
  readonly maxInFlight: number;
  /** `dfaas.maxrate`: requests per second this node serves of this function; 0 = no bound. */
  readonly maxRate: number;
  /** How long a request may wait for room, milliseconds; 0 = it does not. */
  readonly queueMs: number;
  /** End to end, milliseconds, for one invocation. */
  readonly timeoutMs: number;
  /** How often a request may be passed on. */
  readonly hops: number;
};

export type ReplicaPlan = {
  readonly id: string;
  readonly address: Address;
  /** The revision of the deployment it runs. */
  readonly version: string;
  /** Relative share among this node's replicas, greater than 0. */
  readonly weight: number;
  /** Invocations at once; 0 = no bound of its own. */
  readonly maxInFlight: number;
};

/** A route that keeps everything here. */
export const localRoute: Route = {
  policy: 'local-first',
  local: { weight: 1 },
  peers: [],
  rejectShare: 0,
  admission: { peers: {}, others: { kind: 'in-flight', count: 0 } },
};

/**
 * The plan while nobody is there who starts replicas: calls that need a start go to the peers that may be asked. Where there are none,
 * they wait for somebody who comes.
 */
export const withoutStarts = (plan: Plan): Plan => {
  const entries = Object.entries(plan.functions).map(([key, function_]) => {
    const elsewhere = function_.hops > 0 && function_.peers.some(({ weight }) => weight > 0);
    return [key, elsewhere && function_.canStart ? { ...function_, canStart: false } : function_];
  });
  return { ...plan, functions: Object.fromEntries(entries) as Plan['functions'] };
};
