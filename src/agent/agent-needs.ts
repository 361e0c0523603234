import type { BundleStore } from '../bundles/bundle-store.ts';
import type { Bounds } from '../capacity/next-limit.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { NodeFacts } from '../catalogue/placement.ts';
import type { DataPlane } from '../dataplanes/data-plane.ts';
import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Membership } from '../membership/membership.ts';
import type { Announcement } from '../membership/message.ts';
import type { FunctionProvider } from '../providers/provider.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { Strategy } from '../strategies/strategy.ts';
import type { AgentInstruments } from '../telemetry/agent-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import type { KeptScale } from './kept-scale.ts';
import type { PeerFetch } from './peer-fetch.ts';

export type AgentNeeds = {
  readonly self: NodeId;
  readonly node: NodeFacts;
  /** How many calls run at once; where `measuredSlots` are bounds for it, to begin with. */
  readonly slots: number;
  readonly measuredSlots: Bounds | undefined;
  readonly cores: number;
  readonly catalogue: Catalogue;
  readonly membership: Membership;
  readonly provider: FunctionProvider;
  readonly dataPlane: DataPlane;
  readonly strategy: Strategy;
  readonly strategyPeriodMs: number;
  readonly bundles: BundleStore;
  /** Changes whenever the value of one of these secrets does. */
  readonly secretVersions: (namespace: string, names: readonly string[]) => string;
  readonly peerFetch: PeerFetch;
  readonly instruments: AgentInstruments;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly maxReplicas: number;
  readonly idleMs: number;
  /** What was scaled by hand. */
  readonly keptScale: KeptScale;
  /** Asynchronous calls in the queue of this node, by function. */
  readonly queued: () => Promise<ReadonlyMap<FunctionKey, number>>;
  readonly queueMs: number;
  readonly timeoutMs: number;
  /** What the others are told of this node; slots and draining are filled in. */
  readonly announcement: Omit<Announcement, 'slots' | 'draining'>;
};
