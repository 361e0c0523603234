import type { FunctionKey, NodeId } from '../domain/ids.ts';
import { emptyLive, type Live } from '../routing/live.ts';
import type { Places } from '../routing/occupancy.ts';
import { formatLoad } from '../routing/load-header.ts';
import { withoutStarts, type FunctionPlan, type PeerPlan, type Plan } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { OnCall } from '../telemetry/call-record.ts';
import type { Log } from '../telemetry/log.ts';
import type { PlaneInstruments } from '../telemetry/plane-instruments.ts';
import type { Tracer } from '../telemetry/tracer.ts';
import { Counts, type FunctionCounts } from './counts.ts';
import type { Demand } from './data-plane.ts';
import type { PeerClients } from './peer-clients.ts';
import type { ReplicaClients } from './replica-clients.ts';
import { alone, type Turns } from './turns.ts';

export type PlaneNeeds = {
  readonly replicas: ReplicaClients;
  readonly peers: PeerClients;
  readonly instruments: PlaneInstruments;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long a connection that became another protocol's may be silent, milliseconds. */
  readonly upgradeIdleMs: number;
  readonly onDemand: (demand: Demand) => void;
  /** What is shared with other threads that carry out the same plans; nothing where they are missing. */
  readonly shared?: { readonly places: Places; readonly turns: Turns } | undefined;
  /** Told of each call that ended. */
  readonly onCall?: OnCall | undefined;
  readonly tracer?: Tracer | undefined;
};

/** What the parts of a plane share: the plan, the state that decisions read, and the counters. */
export class PlaneState {
  readonly needs: PlaneNeeds;
  readonly live: Live;
  readonly turns: Turns;
  readonly counts = new Counts();
  peers: ReadonlyMap<NodeId, PeerPlan> = new Map();
  #told: Plan | undefined;
  #plan: Plan | undefined;
  #attended = true;

  constructor(needs: PlaneNeeds) {
    this.needs = needs;
    this.live = emptyLive(needs.shared?.places);
    this.turns = needs.shared?.turns ?? alone;
  }

  /** What holds now. */
  get plan(): Plan | undefined {
    return this.#plan;
  }

  set plan(plan: Plan) {
    this.#told = usable(plan);
    this.peers = new Map(plan.peers.map((peer) => [peer.id, peer]));
    this.#settle();
  }

  /** What was told to hold, whoever is there. */
  get told(): Plan | undefined {
    return this.#told;
  }

  get attended(): boolean {
    return this.#attended;
  }

  /** Whether there is somebody who starts replicas. */
  set attended(attended: boolean) {
    this.#attended = attended;
    this.#settle();
  }

  #settle(): void {
    this.#plan = this.#told && (this.#attended ? this.#told : withoutStarts(this.#told));
  }

  get nodeName(): string {
    return this.#plan?.node.name ?? '';
  }

  function(key: FunctionKey): FunctionPlan | undefined {
    return this.#plan?.functions[key];
  }

  /** Those of a function that no plan knows are not remembered. */
  countsOf(key: FunctionKey): FunctionCounts {
    return this.counts.of(key, this.function(key) !== undefined);
  }

  /** For peers; `ending` calls that are about to end are not counted any more. */
  load(key: FunctionKey | undefined, ending = 0): string | undefined {
    return this.#plan === undefined ? undefined : formatLoad(this.#plan, this.live, key, ending);
  }

  /** Of this process: what is remembered by it does not outlive it, and a clock that is set must not stir it. */
  now(): number {
    return this.needs.clock.monotonic();
  }
}

/** A share for a peer that the plan does not tell how to reach is no share. */
const usable = (plan: Plan): Plan => {
  const known = new Set(plan.peers.map(({ id }) => id));
  const entries = Object.entries(plan.functions).map(([key, function_]) => {
    const whole = function_.peers.every(({ id }) => known.has(id));
    return [key, whole ? function_ : { ...function_, peers: function_.peers.filter(({ id }) => known.has(id)) }];
  });
  return { ...plan, functions: Object.fromEntries(entries) as Plan['functions'] };
};
