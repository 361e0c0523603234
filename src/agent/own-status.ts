import type { Observation } from '../dataplanes/data-plane.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { NodeStatus } from '../membership/message.ts';
import type { Hosted } from './hosted.ts';
import type { Slots } from './slots.ts';
import type { Starting } from './starting.ts';

export type OwnStatusFacts = {
  /** The last look at the data plane. */
  readonly latest: Observation | undefined;
  readonly slots: Pick<Slots, 'inForce' | 'limitOf'>;
  readonly hosted: ReadonlyMap<FunctionKey, Hosted>;
  /** Those that can be called here. */
  readonly ready: readonly Hosted[];
  readonly starting: Pick<Starting, 'fault' | 'replicas'>;
  /** Most replicas of one function. */
  readonly maxReplicas: number;
};

/** Functions that fail, of which peers are told. */
const maxFailing = 500;

/** What peers are told of this node. */
export const ownStatus = ({ latest, slots, hosted, ready, starting, maxReplicas }: OwnStatusFacts): NodeStatus => {
  // Peers send calls as soon as they hear of it.
  const failing = [...hosted.values()].filter((one) => starting.fault(one) !== undefined).map(({ key }) => key);
  const functions = ready.map((one) => [
    one.key,
    {
      inFlight: latest?.functions[one.key]?.inFlight ?? 0,
      limit: slots.limitOf(one.key, one.settings.perReplica * maxReplicas),
      replicas: starting.replicas(one).length,
    },
  ]);
  return {
    inFlight: latest?.inFlight ?? 0,
    slots: slots.inForce,
    ...(failing.length > 0 && { failing: failing.slice(0, maxFailing) }),
    functions: Object.fromEntries(functions),
  };
};
