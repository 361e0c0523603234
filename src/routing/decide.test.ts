import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import { seeded } from '../std/random.ts';
import { decide, wantsSlot, type Decision, type RouteRequest } from './decide.ts';
import {
  beginForward,
  beginLocal,
  closed,
  emptyLive,
  failed,
  functionLive,
  peerLive,
  reported,
  type Live,
} from './live.ts';
import type { FunctionPlan, Plan } from './plan.ts';
import { frozen, functionPlan, key, liveOf, planOf, replica, share } from './plans.testing.ts';

const request = (changes: Partial<RouteRequest> = {}): RouteRequest => ({
  key,
  now: 1_000,
  tried: [],
  hops: 0,
  ...changes,
});
const first = (): number => 0;
const ask = (plan: Plan, live: Live, changes: Partial<RouteRequest> = {}): Decision =>
  decide(plan, live, request(changes), first);

const busy = (plan: Plan, live: Live, calls: number): Live => {
  for (let call = 0; call < calls; call += 1) beginLocal(live, plan, key, undefined, 1_000);
  return live;
};
const full = (plan: Plan): Live => busy(plan, liveOf(plan), plan.slots);

const serve = { kind: 'serve' };
const to = (peer: string) => ({ kind: 'forward', peer });
const wait = (reason: string, status: number) => ({ kind: 'wait', reason, status });
const refuse = (reason: string, status: number) => ({ kind: 'refuse', reason, status });

const two = [share('a'), share('b')];

describe('every policy', () => {
  const policies = ['weighted', 'local-first', 'least-loaded', 'ranked'] as const;

  it.each(policies)('%s: serves here when there is room and nobody else', (policy) => {
    const plan = planOf(functionPlan({ policy }));
    expect(ask(plan, liveOf(plan))).toEqual(serve);
  });

  it.each(policies)('%s: refuses a function that no plan knows', (policy) => {
    const plan = planOf(functionPlan({ policy }));
    expect(ask(plan, liveOf(plan), { key: functionKey('g') })).toEqual(refuse('unknown-function', 404));
  });

  it.each(policies)('%s: sends what is over to a peer, and waits when the hop budget is spent', (policy) => {
    const plan = planOf(functionPlan({ policy, peers: two }));
    expect(ask(plan, full(plan))).toMatchObject({ kind: 'forward' });
    expect(ask(plan, full(plan), { hops: 1 })).toEqual(wait('full', 503));
    expect(ask(plan, full(plan), { tried: [nodeId('a'), nodeId('b')] })).toEqual(wait('full', 503));
  });

  it.each(policies)(
    '%s: never sends to a peer that is tried, suspect, closed, unknown, of no weight or at its limit',
    (policy) => {
      const last = share('z', 1, { limit: { kind: 'in-flight', count: 0 } });
      const others = [share('tried'), share('suspect'), share('closed'), share('weightless', 0), last];
      const plan = planOf(functionPlan({ policy, peers: others }));
      const live = full(plan);
      failed(live, nodeId('suspect'), 900);
      closed(live, nodeId('closed'), key, 1_100);
      expect(ask(plan, live, { tried: [nodeId('tried')] })).toEqual(wait('full', 503));
      expect(decide(plan, busy(plan, emptyLive(), 4), request(), first)).toEqual(wait('full', 503));
    },
  );

  it.each(policies)('%s: a leaving node serves nothing itself', (policy) => {
    const plan = planOf(functionPlan({ policy, peers: two }), { draining: true });
    expect(ask(plan, liveOf(plan))).toMatchObject({ kind: 'forward' });
    const alone = planOf(functionPlan({ policy }), { draining: true });
    expect(ask(alone, liveOf(alone))).toEqual(refuse('draining', 503));
  });

  it.each(policies)('%s: starts a replica where it may, and knows when nothing runs anywhere', (policy) => {
    const starts = planOf(functionPlan({ policy, replicas: [], canStart: true }));
    expect(ask(starts, liveOf(starts))).toEqual(serve);
    const nothing = planOf(functionPlan({ policy, replicas: [] }));
    expect(ask(nothing, liveOf(nothing))).toEqual(refuse('no-replica', 503));
    const fails = planOf(functionPlan({ policy, replicas: [], problem: 'It fails.' }));
    expect(ask(fails, liveOf(fails))).toEqual(refuse('start-failed', 503));
    const shared = planOf(functionPlan({ policy, replicas: [], problem: 'It fails.', peers: two }));
    expect(ask(shared, liveOf(shared))).toMatchObject({ kind: 'forward' });
    const elsewhere = planOf(functionPlan({ policy, replicas: [], peers: two }));
    expect(ask(elsewhere, liveOf(elsewhere))).toMatchObject({ kind: 'forward' });
  });

  it.each(policies)('%s: says by the status whose limit was reached', (policy) => {
    const limited = planOf(functionPlan({ policy, maxInFlight: 2 }));
    expect(ask(limited, busy(limited, liveOf(limited), 2))).toEqual(wait('full', 429));
    const rated = planOf(functionPlan({ policy, maxRate: 1 }));
    expect(ask(rated, busy(rated, liveOf(rated), 1))).toEqual(wait('over-rate', 429));
    const small = planOf(functionPlan({ policy }), { slots: 1 });
    expect(ask(small, busy(small, liveOf(small), 1))).toEqual(wait('full', 503));
  });

  it.each(policies)('%s: refuses its share at once, and draws it once for each call', (policy) => {
    const plan = planOf(functionPlan({ policy, rejectShare: 0.5 }));
    const draw = (value: number, again?: boolean) =>
      decide(plan, liveOf(plan), request(again === undefined ? {} : { again }), () => value);
    expect(draw(0.49)).toEqual(refuse('full', 503));
    expect(draw(0.5)).toEqual(serve);
    expect(draw(0.49, true)).toEqual(serve);
  });
});

describe('weighted', () => {
  it('shares out by weight over here and the peers', () => {
    const plan = planOf(functionPlan({ policy: 'weighted', local: { weight: 2 }, peers: [share('a', 1)] }), {
      slots: 99,
    });
    const live = liveOf(plan);
    const seen: string[] = [];
    for (let call = 0; call < 6; call += 1) {
      const next = ask(plan, live);
      seen.push(next.kind === 'forward' ? next.peer : next.kind);
      if (next.kind === 'serve') busy(plan, live, 1);
      else beginForward(live, plan, key, nodeId('a'), 1_000);
    }
    expect(seen.filter((where) => where === 'serve')).toHaveLength(4);
  });

  it('keeps a node of no weight free even when no peer can be asked', () => {
    const plan = planOf(functionPlan({ policy: 'weighted', local: { weight: 0 } }));
    expect(ask(plan, liveOf(plan))).toEqual(wait('full', 503));
  });
});

describe('local-first', () => {
  const overflow = (limit: FunctionPlan['local']['limit']) =>
    planOf(functionPlan({ policy: 'local-first', local: { weight: 1, ...(limit && { limit }) }, peers: two }), {
      slots: 99,
    });

  it('overflows by rate to the peers', () => {
    const plan = overflow({ kind: 'rate', perSecond: 2 });
    expect(ask(plan, busy(plan, liveOf(plan), 1))).toEqual(serve);
    expect(ask(plan, busy(plan, liveOf(plan), 2))).toEqual(to('a'));
    expect(ask(plan, busy(plan, liveOf(plan), 2), { now: 1_500 })).toEqual(serve);
  });

  it('overflows by what is in flight', () => {
    const plan = overflow({ kind: 'in-flight', count: 3 });
    expect(ask(plan, busy(plan, liveOf(plan), 2))).toEqual(serve);
    expect(ask(plan, busy(plan, liveOf(plan), 3))).toEqual(to('a'));
  });

  it('says that the route’s own limit is reached when no peer takes more', () => {
    const rate = overflow({ kind: 'rate', perSecond: 2 });
    expect(ask(rate, busy(rate, liveOf(rate), 2), { hops: 1 })).toEqual(wait('over-rate', 429));
    const count = overflow({ kind: 'in-flight', count: 3 });
    expect(ask(count, busy(count, liveOf(count), 3), { hops: 1 })).toEqual(wait('full', 429));
  });
});

describe('ranked', () => {
  it('goes down the list to the first that has room', () => {
    const plan = planOf(functionPlan({ policy: 'ranked', peers: two }));
    const live = full(plan);
    expect(ask(plan, live)).toEqual(to('a'));
    reported(live, nodeId('a'), undefined, { inFlight: 4, slots: 4 }, 1_000);
    expect(ask(plan, live)).toEqual(to('b'));
    reported(live, nodeId('b'), undefined, { inFlight: 4, slots: 4 }, 1_000);
    expect(ask(plan, live)).toEqual(wait('full', 503));
  });
});

describe('least-loaded', () => {
  const plan = planOf(functionPlan({ peers: two }));
  const say = (live: Live, peer: string, inFlight: number, slots = 4): void =>
    reported(live, nodeId(peer), undefined, { inFlight, slots }, 1_000);

  it('serves here up to the last slot, and not beyond', () => {
    expect(ask(plan, busy(plan, liveOf(plan), 3))).toEqual(serve);
    expect(ask(plan, busy(plan, liveOf(plan), 4))).toMatchObject({ kind: 'forward' });
  });

  it('takes the peer with less load', () => {
    const live = full(plan);
    say(live, 'a', 3);
    expect(ask(plan, live)).toEqual(to('b'));
  });

  it('takes the nearer one while both are cold', () => {
    const live = full(plan);
    peerLive(live, nodeId('a')).rttMs = 40;
    say(live, 'b', 2);
    expect(ask(plan, live)).toEqual(to('b'));
  });

  it('takes a warm one before one that must start a replica', () => {
    const live = full(plan);
    reported(
      live,
      nodeId('a'),
      key,
      { inFlight: 0, slots: 4, function: { inFlight: 0, limit: 0, replicas: 0 } },
      1_000,
    );
    expect(ask(plan, live)).toEqual(to('b'));
  });

  it('counts what it sent since a peer last spoke', () => {
    const live = full(plan);
    say(live, 'a', 0);
    say(live, 'b', 3);
    for (let call = 0; call < 4; call += 1) beginForward(live, plan, key, nodeId('a'), 1_000);
    expect(ask(plan, live)).toEqual(to('b'));
  });

  it('asks a peer again that said it was full and then fell silent, one call at a time', () => {
    const live = full(plan);
    say(live, 'a', 4);
    say(live, 'b', 400, 4);
    expect(ask(plan, live, { now: 1_000 })).toEqual(wait('full', 503));
    expect(ask(plan, live, { now: 1_050 })).toEqual(to('a'));
  });

  it('asks a peer again whose calls all failed without a word', () => {
    const live = full(plan);
    say(live, 'b', 4_000, 4);
    say(live, 'a', 0);
    for (let call = 0; call < 50; call += 1) {
      beginForward(live, plan, key, nodeId('a'), 1_000);
      peerLive(live, nodeId('a')).outstanding.leave();
    }
    expect(ask(plan, live, { now: 1_001 })).toEqual(wait('full', 503));
    expect(ask(plan, live, { now: 9_000 })).toEqual(to('a'));
  });

  it('never counts less at a peer than what it has under way there', () => {
    const live = full(plan);
    say(live, 'b', 4_000, 4);
    for (let call = 0; call < 4; call += 1) beginForward(live, plan, key, nodeId('a'), 1_000);
    expect(ask(plan, live, { now: 60_000 })).toEqual(wait('full', 503));
  });

  it('takes a clock that went back for no time at all', () => {
    const live = full(plan);
    say(live, 'a', 3);
    say(live, 'b', 4);
    expect(ask(plan, live, { now: 1 })).toEqual(to('a'));
  });

  it('minds the bound of the function there', () => {
    const live = full(plan);
    say(live, 'b', 3);
    reported(live, nodeId('a'), key, { inFlight: 1, slots: 4, function: { inFlight: 1, limit: 1 } }, 1_000);
    expect(ask(plan, live)).toEqual(to('b'));
  });

  it('never asks a peer whose size it does not know', () => {
    const live = full(plan);
    peerLive(live, nodeId('a')).slots = 0;
    peerLive(live, nodeId('b')).slots = 0;
    expect(ask(plan, live)).toEqual(wait('full', 503));
  });
});

describe('in any state', () => {
  const peers = ['a', 'b', 'c', 'd', 'e'];
  const limit = fc.oneof(
    fc.constant(undefined),
    fc.record({ kind: fc.constant('rate' as const), perSecond: fc.double({ min: 0, max: 50, noNaN: true }) }),
    fc.record({ kind: fc.constant('in-flight' as const), count: fc.nat(4) }),
  );
  const weight = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 20, noNaN: true }));
  const state = fc.record({
    policy: fc.constantFrom('weighted', 'local-first', 'least-loaded', 'ranked' as const),
    slots: fc.integer({ min: 1, max: 8 }),
    local: fc.record({ weight, limit }),
    shares: fc.array(fc.record({ weight, limit }), { maxLength: 5 }),
    rejectShare: fc.constantFrom(0, 0, 0.3, 1),
    maxInFlight: fc.nat(3),
    maxRate: fc.constantFrom(0, 0, 0.5, 3),
    replicas: fc.nat(2),
    canStart: fc.boolean(),
    draining: fc.boolean(),
    begun: fc.nat(8),
    reports: fc.array(fc.record({ peer: fc.nat(4), inFlight: fc.nat(20), slots: fc.nat(20), at: fc.nat(2_000) }), {
      maxLength: 12,
    }),
    suspects: fc.array(fc.nat(4), { maxLength: 3 }),
    seed: fc.integer(),
  });

  const build = (facts: typeof state extends fc.Arbitrary<infer T> ? T : never) => {
    const { policy, rejectShare, maxInFlight, maxRate, canStart } = facts;
    const bound = (value: typeof facts.local.limit) => (value === undefined ? {} : { limit: value });
    const function_ = functionPlan({
      policy,
      rejectShare,
      maxInFlight,
      maxRate,
      canStart,
      local: { weight: facts.local.weight, ...bound(facts.local.limit) },
      peers: facts.shares.map((of, index) => share(peers[index] as string, of.weight, bound(of.limit))),
      replicas: Array.from({ length: facts.replicas }, (_, index) => replica(`${index}`)),
    });
    const plan = planOf(function_, { slots: facts.slots, draining: facts.draining });
    const live = liveOf(plan);
    for (let call = 0; call < facts.begun; call += 1) beginLocal(live, plan, key, undefined, 500);
    for (const { peer, inFlight, slots, at } of facts.reports) {
      if (peer < facts.shares.length) reported(live, nodeId(peers[peer] as string), key, { inFlight, slots }, at);
    }
    for (const peer of facts.suspects) if (peer < facts.shares.length) failed(live, nodeId(peers[peer] as string), 900);
    return { plan, live, function_ };
  };

  it('changes nothing, and decides the same again with the same chance', () => {
    fc.assert(
      fc.property(state, (facts) => {
        const { plan, live } = build(facts);
        frozen(plan);
        frozen(live);
        const once = decide(plan, live, request(), seeded(facts.seed));
        expect(decide(plan, live, request(), seeded(facts.seed))).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });

  it('serves only where there is room, and forwards only to a peer that is listed and open', () => {
    fc.assert(
      fc.property(state, (facts) => {
        const { plan, live, function_ } = build(facts);
        const next = decide(plan, live, request(), seeded(facts.seed));
        const here = functionLive(live, key);
        if (next.kind === 'serve') {
          expect(plan.draining).toBe(false);
          expect(live.running.count).toBeLessThan(plan.slots);
          if (function_.maxInFlight > 0) expect(here.running.count).toBeLessThan(function_.maxInFlight);
          expect(function_.replicas.length > 0 || function_.canStart).toBe(true);
        }
        if (next.kind === 'forward') {
          expect(function_.peers.find(({ id }) => id === next.peer)?.weight).toBeGreaterThan(0);
          expect(peerLive(live, next.peer).suspicion.until).toBeLessThanOrEqual(1_000);
        }
        if (next.kind === 'forward' && (function_.policy === 'least-loaded' || function_.policy === 'ranked')) {
          expect(
            decide(
              planOf({ ...function_, peers: [], rejectShare: 0 }, { slots: plan.slots, draining: plan.draining }),
              live,
              request(),
              first,
            ).kind,
          ).not.toBe('serve');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a call that waits', () => {
  const wants = (function_: FunctionPlan, calls: number): boolean => {
    const plan = planOf(function_);
    const live = busy(plan, liveOf(plan), calls);
    return wantsSlot(plan, function_, live, live.functions.get(key), 1_000);
  };

  it('wants a slot of the node where nothing else is in its way', () => {
    expect([wants(functionPlan(), 4), wants(functionPlan(), 3)]).toEqual([true, false]);
    expect(wants(functionPlan({ policy: 'weighted' }), 4)).toBe(true);
    expect(wants(functionPlan({ policy: 'local-first', local: { weight: 1, limit: inFlight(5) } }), 4)).toBe(true);
  });

  it('wants none that would not help it', () => {
    expect(wants(functionPlan({ replicas: [], peers: [share('a')] }), 0)).toBe(false);
    expect(wants(functionPlan({ maxInFlight: 4 }), 4)).toBe(false);
    expect(wants(functionPlan({ maxRate: 4 }), 4)).toBe(false);
    const kept = { weight: 1, limit: inFlight(4) };
    expect(wants(functionPlan({ policy: 'local-first', local: kept }), 4)).toBe(false);
    const none = functionPlan({ policy: 'weighted', local: { weight: 0 }, peers: [share('a')] });
    const plan = planOf(none);
    const live = liveOf(plan);
    for (let call = 0; call < 4; call += 1) live.running.enter(4);
    expect(wantsSlot(plan, none, live, undefined, 1_000)).toBe(false);
  });
});

const inFlight = (count: number) => ({ kind: 'in-flight', count }) as const;
