import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Routes } from '../routing/plan.ts';

/**
 * How load is shared. A strategy is a state machine without I/O: an event and a state in, the next state and wanted
 * effects out. Time, chance and the network are handed in, so that the live agent, the simulator and the emulator run
 * the very same code and any run can be repeated.
 *
 * What every strategy promises (`strategy.conformance.ts`):
 * - `step` is pure: equal state, event and tools give equal results; nothing handed in is changed; it never throws,
 *   whatever a peer sends.
 * - After a `viewed` event that differs from the last, and on each `tick` of its period, it emits one `route` effect
 *   with a route for every function of the view, or none if the routes are what it last emitted.
 * - Routes name only peers of the last view that host the function; weights and limits are finite and at least 0.
 * - State and messages are plain JSON.
 */
export interface Strategy<State = unknown> {
  readonly name: string;
  /**
   * How many periods after its start it knows enough to decide: where there are routes of an earlier run they hold until
   * then. Default 0.
   */
  readonly warmUpPeriods?: number;
  start(view: View, options: StrategyOptions): State;
  step(state: State, event: StrategyEvent, tools: StrategyTools): Step<State>;
}

export type StrategyOptions = {
  /** Milliseconds between recalculations, greater than 0. The published systems use 60 000. */
  readonly periodMs: number;
};

export type Step<State> = { readonly state: State; readonly effects: readonly StrategyEffect[] };

export type StrategyEvent =
  /** Time passed. The agent ticks at least four times per `periodMs` and at least once a second. */
  | { readonly kind: 'tick' }
  /** What is known of this node and its peers was read anew. */
  | { readonly kind: 'viewed'; readonly view: View }
  /** A peer sent a message of this same strategy. It is the peer's word: check every field. */
  | { readonly kind: 'received'; readonly from: NodeId; readonly message: unknown }
  /** A wanted `wake` came due. */
  | { readonly kind: 'woken'; readonly name: string };

export type StrategyEffect =
  | { readonly kind: 'route'; readonly routes: Routes }
  /** To one peer, or to `all` of them. Lost messages are not repeated. */
  | { readonly kind: 'send'; readonly to: NodeId | 'all'; readonly message: unknown }
  /** A `woken` event at `at` (milliseconds, the clock of `tools.now`); a later wake of the same name replaces it. */
  | { readonly kind: 'wake'; readonly at: number; readonly name: string };

export type StrategyTools = {
  /** Milliseconds since the epoch, of the clock that runs this strategy. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: () => number;
};

/** What a node knows when it decides. Rates are requests per second over the last second. */
export type View = {
  readonly self: NodeId;
  readonly slots: number;
  readonly inFlight: number;
  /** Every function of the catalogue; `here` tells which live at this node. */
  readonly functions: { readonly [key: FunctionKey]: FunctionView };
  readonly peers: readonly PeerView[];
};

export type FunctionView = {
  /** Placed at this node. */
  readonly here: boolean;
  /** The label `dfaas.maxrate`, requests per second; absent when the label is missing or no number. */
  readonly maxRate?: number;
  /** Requests of this node's own users, wherever they were served or refused. */
  readonly userRate: number;
  /** Requests served here, users' and peers'. */
  readonly localRate: number;
  /** Requests that each peer sent here. */
  readonly peerRates: { readonly [peer: NodeId]: number };
  readonly inFlight: number;
  /** Mean run time of an invocation, milliseconds; 0 when nothing ran yet. */
  readonly serviceMs: number;
  readonly rejectedPerSecond: number;
  readonly replicas: number;
};

export type PeerView = {
  readonly id: NodeId;
  /** The functions placed there. */
  readonly functions: readonly FunctionKey[];
  readonly slots: number;
  readonly inFlight: number;
  /** Round trip, milliseconds. */
  readonly rttMs: number;
  /** Milliseconds since it was last heard of. */
  readonly ageMs: number;
};
