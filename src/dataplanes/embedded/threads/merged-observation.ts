import type { FunctionKey, NodeId } from '../../../domain/ids.ts';
import type { FunctionObservation, Observation, PeerObservation } from '../../data-plane.ts';

/**
 * What several threads observed, as one. What they share (calls in flight and waiting, of the node, of each function, to each peer)
 * each of them told whole; what each counted by itself is added up.
 */
export const mergedObservation = (observations: readonly Observation[]): Observation => {
  const [first, ...others] = observations;
  if (first === undefined) throw new RangeError('there is no thread to observe');
  return others.reduce(joined, first);
};

const joined = (one: Observation, other: Observation): Observation => ({
  ...one,
  planVersion: Math.min(one.planVersion, other.planVersion),
  inFlight: Math.max(one.inFlight, other.inFlight),
  queued: one.queued + other.queued,
  functions: joinedBy<FunctionKey, FunctionObservation>(one.functions, other.functions, joinedFunction),
  peers: joinedBy<NodeId, PeerObservation>(one.peers, other.peers, joinedPeer),
});

const joinedFunction = (one: FunctionObservation, other: FunctionObservation): FunctionObservation => ({
  inFlight: Math.max(one.inFlight, other.inFlight),
  queued: Math.max(one.queued, other.queued),
  entered: one.entered + other.entered,
  received: added(one.received, other.received),
  served: one.served + other.served,
  forwarded: added(one.forwarded, other.forwarded),
  rejected: added(one.rejected, other.rejected),
  serviceMs: weighted([one.serviceMs, one.ran], [other.serviceMs, other.ran]),
  ran: one.ran + other.ran,
  ranMs: one.ranMs + other.ranMs,
  foundFull: one.foundFull + other.foundFull,
  foundLimit: one.foundLimit + other.foundLimit,
});

/** Each thread has its own word of a peer; the fuller is the safer to go by. */
const joinedPeer = (one: PeerObservation, other: PeerObservation): PeerObservation => ({
  rttMs: Math.max(one.rttMs, other.rttMs),
  inFlight: Math.max(one.inFlight, other.inFlight),
  slots: Math.max(one.slots, other.slots),
  outstanding: Math.max(one.outstanding, other.outstanding),
});

const weighted = (...means: readonly (readonly [mean: number, weight: number])[]): number => {
  const known = means.filter(([mean]) => mean > 0);
  const total = known.reduce((sum, [, weight]) => sum + Math.max(1, weight), 0);
  return total === 0 ? 0 : known.reduce((sum, [mean, weight]) => sum + (mean * Math.max(1, weight)) / total, 0);
};

const added = <Key extends string>(
  one: { readonly [key in Key]?: number },
  other: { readonly [key in Key]?: number },
): Record<Key, number> =>
  joinedBy<Key, number>(one as Record<Key, number>, other as Record<Key, number>, (left, right) => left + right);

const joinedBy = <Key extends string, Value>(
  one: { readonly [key in Key]: Value },
  other: { readonly [key in Key]: Value },
  join: (one: Value, other: Value) => Value,
): Record<Key, Value> => {
  const result: Record<Key, Value> = { ...one };
  for (const [name, value] of Object.entries(other) as [Key, Value][]) {
    const before = result[name] as Value | undefined;
    result[name] = before === undefined ? value : join(before, value);
  }
  return result;
};
