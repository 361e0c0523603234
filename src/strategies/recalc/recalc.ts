import type { NodeId } from '../../domain/ids.ts';
import { forEach, own, routeIfChanged } from '../routes.ts';
import type { Step, Strategy, StrategyEffect, StrategyEvent, View } from '../strategy.ts';
import { marginsOf } from './margin.ts';
import { parseLimits } from './message.ts';
import type { RecalcMessage } from './message.ts';
import { dueBetween, nextDue } from './phase.ts';
import { recalcRoutes } from './recalc-routes.ts';
import type { Offers, RecalcState } from './state.ts';
import { firstRates, takeSample } from './user-rates.ts';

/**
 * DFaaS's Recalc (Ciavotta, Motterlini, Savi, Tundo: DFaaS, CloudNet 2021). Each function has a local capacity
 * `maxrate`; a node below it offers the rest in equal parts to its peers, and a node above it hands its excess to peers
 * in proportion to what they offered.
 *
 * As published, with period T and steps aligned to `now mod T`:
 * - Step 1, phase 0: `margin = max(0, maxrate − user rate)`, so 0 when overloaded; `LimitIn = margin / n` for each of n
 *   known peers; each peer is told its own. A peer that was not heard yet is told that there is nothing.
 * - Step 2, phase T/2: what was offered is admitted from now on; `weight = 100 · LimitOut / Σ LimitOut`, and no peer is
 *   sent more than its LimitOut.
 * - The first cycle starts at once. A peer not heard for 1.2 T is forgotten. So the first useful weights come in the
 *   second round.
 *
 * Mended:
 * - *Whole numbers.* Rates, limits and weights are fractions; nothing is rounded down to 0.
 * - *Functions that only peers have.* All their calls are excess (`maxrate` 0 here) and follow the offers. Users call
 *   any function anywhere, so the margin is divided by all known peers, not only by those that have the function.
 * - *Peers' traffic.* Offers plus user rate never exceed `maxrate`. When users grow between two steps, what was granted
 *   shrinks at the next view and comes back when they do not; in steps of a twentieth, so that noise does not rewrite
 *   the plan each second.
 * - *Users refused below `maxrate`.* Offers are used whether or not this node counts as overloaded, so that a call which
 *   finds the rate used up still has where to go.
 * - *Missing labels.* A function without `dfaas.maxrate` is served here as long as there are slots, and offers a share
 *   of the free ones (`margin.ts`); published, it was an error for all of them.
 * - *One-second samples.* User rates are means of the last two seconds or so (`user-rates.ts`).
 * - *Any period.* Steps that came due together are done together; a start in the second half does not wait for the whole
 *   next one before it speaks again.
 * - *Messages.* One to each peer instead of everyone's limits to everyone; checked field by field (`message.ts`).
 */
export const recalc: Strategy<RecalcState> = {
  name: 'recalc',
  // Offers are told when a period begins and used from its half on.
  warmUpPeriods: 1.5,
  start: (view, options) => ({
    periodMs: options.periodMs,
    view,
    userRates: firstRates(view),
    sampledMs: null,
    lastMs: null,
    heard: {},
    offered: {},
    granted: {},
    taken: {},
    routes: null,
  }),
  step: (state, event, tools) => {
    switch (event.kind) {
      case 'received':
        return { state: hear(state, event.from, event.message, tools.now), effects: [] };
      case 'viewed':
        return advance(look(state, event.view, tools.now), event, tools.now);
      case 'tick':
      case 'woken':
        return advance(state, event, tools.now);
    }
  },
};

/** A peer that was not heard for so many periods is forgotten. */
const forgetAfterPeriods = 1.2;

const hear = (state: RecalcState, from: NodeId, message: unknown, now: number): RecalcState => {
  if (from === state.view.self || !state.view.peers.some((peer) => peer.id === from)) return state;
  const limits = parseLimits(message, state.view);
  return limits === undefined ? state : { ...state, heard: { ...state.heard, [from]: { atMs: now, limits } } };
};

const look = (state: RecalcState, view: View, now: number): RecalcState => ({
  ...state,
  view,
  userRates: takeSample(state.userRates, view, now - (state.sampledMs ?? now), state.periodMs),
  sampledMs: now,
});

const advance = (before: RecalcState, event: StrategyEvent, now: number): Step<RecalcState> => {
  const first = before.lastMs === null;
  const due = first ? { limits: true, weights: false } : dueBetween(before.lastMs, now, before.periodMs);
  const effects: StrategyEffect[] = [];

  let state: RecalcState = { ...before, lastMs: now, heard: remembered(before, now) };
  if (due.limits) {
    state = { ...state, offered: offersOf(state) };
    effects.push(...publish(state));
  }
  if (due.weights) state = { ...state, granted: state.offered, taken: offersHeard(state) };
  if (first || due.limits || due.weights || event.kind === 'woken') {
    effects.push({ kind: 'wake', at: nextDue(now, state.periodMs), name: 'step' });
  }

  const routes = recalcRoutes(state);
  effects.push(...routeIfChanged(state.routes, routes));
  return { state: { ...state, routes }, effects };
};

const remembered = (state: RecalcState, now: number): RecalcState['heard'] =>
  Object.fromEntries(
    state.view.peers.flatMap((peer) => {
      const entry = own(state.heard, peer.id);
      const kept = entry !== undefined && Math.abs(now - entry.atMs) <= forgetAfterPeriods * state.periodMs;
      return kept ? [[peer.id, entry]] : [];
    }),
  );

/** Step 1: each margin in equal parts to the peers that were heard. */
const offersOf = (state: RecalcState): Offers => {
  const peers = Object.keys(state.heard);
  const share = forEach(marginsOf(state.view, state.userRates), (_, margin) => margin / peers.length);
  return Object.fromEntries(peers.map((peer) => [peer, share]));
};

const publish = (state: RecalcState): readonly StrategyEffect[] =>
  state.view.peers
    .filter((peer) => peer.id !== state.view.self)
    .map((peer) => {
      const message: RecalcMessage = { to: peer.id, limits: own(state.offered, peer.id) ?? {} };
      return { kind: 'send', to: peer.id, message };
    });

const offersHeard = (state: RecalcState): Offers =>
  Object.fromEntries(Object.entries(state.heard).map(([peer, entry]) => [peer, entry.limits]));
