import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Limit, Route, Routes } from '../routing/plan.ts';
import { seeded } from '../std/random.ts';
import { arbitraryRun, emptyView, self } from './runs.conformance.ts';
import type { Line, Run } from './runs.conformance.ts';
import type {
  Step,
  Strategy,
  StrategyEffect,
  StrategyEvent,
  StrategyOptions,
  StrategyTools,
  View,
} from './strategy.ts';

/** What `strategy.ts` promises, held against one strategy with random views, times and hostile peers. */
export const strategyConformance = (strategy: Strategy): void => {
  describe(`strategy ${strategy.name}`, () => {
    it('gives equal results for equal inputs and changes nothing that it was handed', () => {
      always(({ script, options }) => {
        const [first, second] = [play(strategy, script, options, frozen), play(strategy, script, options, frozen)];
        expect(second).toEqual(first);
      });
    });

    it('goes on the same from a state that was written as JSON and read again', () => {
      always(({ script, options }) => {
        expect(play(strategy, script, options, throughJson)).toEqual(play(strategy, script, options, (same) => same));
      });
    });

    it('makes routes only for the functions of the view and only over peers that host them', () => {
      always(({ script, options }) => {
        for (const { view, routes } of routed(play(strategy, script, options))) checkRoutes(view, routes);
      });
    });

    it('sends to peers of the view, and wakes later, in plain JSON', () => {
      always(({ script, options }) => {
        for (const { view, now, step } of play(strategy, script, options)) {
          for (const effect of step.effects) checkEffect(view, now, effect);
        }
      });
    });

    it('emits routes at the first view, and never the same ones twice in a row', () => {
      always(({ script, options }) => {
        const moments = play(strategy, script, options);
        const emitted = routed(moments).map((moment) => moment.routes);
        for (const [index, routes] of emitted.entries()) expect(routes).not.toEqual(emitted[index - 1]);
        if (script.some((line) => line.what.kind === 'viewed')) expect(emitted.length).toBeGreaterThan(0);
      });
    });

    it('emits nothing when what it just saw is seen again', () => {
      always(({ script, options, view }) => {
        const last = play(strategy, [...script, { afterMs: 0, what: { kind: 'viewed', view } }], options).at(-1);
        const again = strategy.step(last?.step.state, { kind: 'viewed', view }, toolsAt(last?.now ?? 0));
        expect(again.effects).toEqual([]);
      });
    });

    it('has routes for exactly the functions of the last view', () => {
      always(({ script, options, view }) => {
        const moments = play(strategy, [...script, { afterMs: 1, what: { kind: 'viewed', view } }], options);
        const held = routed(moments).at(-1)?.routes ?? {};
        expect(Object.keys(held).sort()).toEqual(Object.keys(view.functions).sort());
      });
    });

    it('ignores nodes that are not in its view', () => {
      always(({ script, options, junk }) => {
        const moments = play(strategy, script, options);
        const last = moments.at(-1);
        const state = last?.step.state ?? strategy.start(emptyView, options);
        const from = nodeId('stranger');
        const step = strategy.step(state, { kind: 'received', from, message: junk }, toolsAt(last?.now ?? 0));
        expect(step).toEqual({ state, effects: [] });
      });
    });

    it('keeps a state that is bounded by its view, however long it runs', () => {
      always(({ script, options, view }) => {
        const long = Array.from({ length: 5 }, () => script).flat();
        const moments = play(
          strategy,
          [...long, { afterMs: 3 * options.periodMs, what: { kind: 'viewed', view } }],
          options,
        );
        const size = JSON.stringify(moments.at(-1)?.step.state).length;
        const pairs = (Object.keys(view.functions).length + 1) * (view.peers.length + 1);
        expect(size).toBeLessThan(1000 + 4 * JSON.stringify(view).length + 2000 * pairs);
      });
    });
  });
};

const always = (law: (run: Run) => void): void => {
  fc.assert(fc.property(arbitraryRun, law), { numRuns: 60 });
};

type Moment = { readonly view: View; readonly now: number; readonly step: Step<unknown> };
type Handing = (value: unknown) => unknown;

const play = (
  strategy: Strategy,
  script: readonly Line[],
  options: StrategyOptions,
  hand: Handing = frozen,
): Moment[] => {
  let view = emptyView;
  let now = 1_700_000_000_123;
  let state = hand(strategy.start(view, options));
  const sent: { to: NodeId | 'all'; message: unknown }[] = [];
  return script.map((line) => {
    now += line.afterMs;
    if (line.what.kind === 'viewed') view = line.what.view;
    const event = hand(eventOf(line.what, sent)) as StrategyEvent;
    const step = strategy.step(state, event, toolsAt(now));
    sent.push(...step.effects.filter((effect) => effect.kind === 'send'));
    state = hand(step.state);
    return { view, now, step };
  });
};

const toolsAt = (now: number): StrategyTools => ({ now, random: seeded(now) });

const eventOf = (what: Line['what'], sent: readonly { to: NodeId | 'all'; message: unknown }[]): StrategyEvent => {
  switch (what.kind) {
    case 'tick':
      return { kind: 'tick' };
    case 'woken':
      return { kind: 'woken', name: 'step' };
    case 'viewed':
      return { kind: 'viewed', view: what.view };
    case 'junk':
      return { kind: 'received', from: what.from, message: what.message };
    case 'echo': {
      const last = sent.findLast((effect) => effect.to === what.from || effect.to === 'all');
      return { kind: 'received', from: what.from, message: echoed(last?.message, what.from, what.spoil) };
    }
  }
};

/** As if the peer had sent it: its id becomes ours, and every number what `spoil` is. */
const echoed = (value: unknown, from: NodeId, spoil: unknown): unknown => {
  if (value === from) return self;
  if (typeof value === 'number') return spoil === undefined ? value + 1.5 : spoil;
  if (Array.isArray(value)) return value.map((item) => echoed(item, from, spoil));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, echoed(item, from, spoil)]));
};

const frozen: Handing = (value) => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) frozen(item);
  }
  return value;
};

const throughJson: Handing = (value) => JSON.parse(JSON.stringify(value));

const routed = (moments: readonly Moment[]): { view: View; routes: Routes }[] =>
  moments.flatMap(({ view, step }) =>
    step.effects.flatMap((effect) => (effect.kind === 'route' ? [{ view, routes: effect.routes }] : [])),
  );

const checkEffect = (view: View, now: number, effect: StrategyEffect): void => {
  expect(JSON.parse(JSON.stringify(effect))).toEqual(effect);
  if (effect.kind === 'send' && effect.to !== 'all') expect(view.peers.map((peer) => peer.id)).toContain(effect.to);
  if (effect.kind === 'wake') expect(effect.at).toBeGreaterThan(now);
};

const checkRoutes = (view: View, routes: Routes): void => {
  expect(Object.keys(routes).sort()).toEqual(Object.keys(view.functions).sort());
  for (const [key, route] of Object.entries(routes)) checkRoute(view, key as FunctionKey, route);
};

const checkRoute = (view: View, key: FunctionKey, route: Route): void => {
  const hosts = new Set(view.peers.filter((peer) => peer.functions.includes(key)).map((peer) => peer.id));
  expect(new Set(route.peers.map((peer) => peer.id)).size).toBe(route.peers.length);
  for (const peer of route.peers) {
    expect(hosts).toContain(peer.id);
    expect(isAmount(peer.weight)).toBe(true);
    checkLimit(peer.limit);
  }
  expect(isAmount(route.local.weight)).toBe(true);
  expect(route.rejectShare).toBeGreaterThanOrEqual(0);
  expect(route.rejectShare).toBeLessThanOrEqual(1);
  checkLimit(route.local.limit);
  checkLimit(route.admission.others);
  for (const [peer, limit] of Object.entries(route.admission.peers)) {
    expect(view.peers.map((known) => known.id)).toContain(peer);
    checkLimit(limit);
  }
};

const checkLimit = (limit: Limit | undefined): void => {
  if (limit !== undefined) expect(isAmount(limit.kind === 'rate' ? limit.perSecond : limit.count)).toBe(true);
};

const isAmount = (value: number): boolean => Number.isFinite(value) && value >= 0;
