import type { FunctionKey, NodeId } from '../../domain/ids.ts';
import type { Limit, PeerShare, Route, Routes } from '../../routing/plan.ts';
import { hostsOf, own, routeEach } from '../routes.ts';
import type { FunctionView } from '../strategy.ts';
import { marginsOf, maxRateOf } from './margin.ts';
import type { Offers, RecalcState } from './state.ts';

/**
 * The routes of a state: here up to `maxrate`, the excess to peers by what they offered; peers are admitted up to what
 * they were granted, as far as this node's users leave it free now.
 */
export const recalcRoutes = (state: RecalcState): Routes => {
  const margins = marginsOf(state.view, state.userRates);
  return routeEach(state.view, (key, seen): Route => ({
    policy: 'local-first',
    local: localShare(seen),
    peers: peerShares(state, key),
    rejectShare: 0,
    admission: { peers: admitted(state, key, own(margins, key) ?? 0), others: rate(0) },
  }));
};

const localShare = (seen: FunctionView): Route['local'] => {
  if (!seen.here) return { weight: 0, limit: rate(0) };
  const maxRate = maxRateOf(seen);
  return maxRate === undefined ? { weight: 1 } : { weight: 1, limit: rate(maxRate) };
};

const peerShares = (state: RecalcState, key: FunctionKey): readonly PeerShare[] => {
  const offers = hostsOf(state.view, key)
    .map((peer) => ({ id: peer.id, perSecond: offerOf(state, state.taken, peer.id, key) }))
    .filter((offer) => offer.perSecond > 0);
  const total = offers.reduce((sum, offer) => sum + offer.perSecond, 0);
  return offers.map(({ id, perSecond }) => ({ id, weight: (100 * perSecond) / total, limit: rate(perSecond) }));
};

const admitted = (state: RecalcState, key: FunctionKey, margin: number): { readonly [peer: NodeId]: Limit } => {
  const grants = state.view.peers
    .map((peer) => ({ id: peer.id, perSecond: offerOf(state, state.granted, peer.id, key) }))
    .filter((grant) => grant.perSecond > 0);
  const part = partLeft(
    margin,
    grants.reduce((sum, grant) => sum + grant.perSecond, 0),
  );
  return part === 0 ? {} : Object.fromEntries(grants.map((grant) => [grant.id, rate(grant.perSecond * part)]));
};

/** The part of what was granted that still fits into the margin, rounded down to twentieths. */
const partLeft = (margin: number, granted: number): number =>
  granted <= margin * rounding ? 1 : Math.floor((20 * margin) / granted) / 20;

/** Parts that were divided out of a margin add up to a little more than it in floating point. */
const rounding = 1 + 1e-9;

/** Offers count only as long as the peer is heard. */
const offerOf = (state: RecalcState, offers: Offers, peer: NodeId, key: FunctionKey): number =>
  own(state.heard, peer) === undefined ? 0 : (own(own(offers, peer) ?? {}, key) ?? 0);

const rate = (perSecond: number): Limit => ({ kind: 'rate', perSecond });
