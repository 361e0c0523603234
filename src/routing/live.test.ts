import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { functionKey, nodeId, type NodeId } from '../domain/ids.ts';
import { decide } from './decide.ts';
import {
  answered,
  beginForward,
  beginLocal,
  beginReplica,
  closed,
  emptyLive,
  endForward,
  endLocal,
  endReplica,
  failed,
  functionLive,
  peerLive,
  prune,
  reported,
  type Live,
} from './live.ts';
import type { FunctionPlan } from './plan.ts';
import { functionPlan, key, liveOf, planOf, replica, share } from './plans.testing.ts';

/** Decides and begins `calls` calls that never end; answers where they went. */
const run = (function_: FunctionPlan, live: Live, calls: number): Map<string, number> => {
  const plan = planOf(function_, { slots: 1e9 });
  const counts = new Map<string, number>();
  for (let call = 0; call < calls; call += 1) {
    const next = decide(plan, live, { key, now: 0, tried: [], hops: 0 }, () => 0.5);
    if (next.kind !== 'serve' && next.kind !== 'forward') throw new Error(`decided ${next.kind}`);
    if (next.kind === 'serve') beginLocal(live, plan, key, undefined, 0);
    else beginForward(live, plan, key, next.peer, 0);
    const where = next.kind === 'serve' ? 'here' : next.peer;
    counts.set(where, (counts.get(where) ?? 0) + 1);
  }
  return counts;
};

const nothing = { functions: {}, peers: [] };

const weights = fc.array(fc.double({ min: 0.05, max: 20, noNaN: true }), { minLength: 1, maxLength: 5 });
const names = ['a', 'b', 'c', 'd', 'e'];
const weighted = (local: number, peers: readonly number[]): FunctionPlan =>
  functionPlan({
    policy: 'weighted',
    local: { weight: local },
    peers: peers.map((of, index) => share(names[index] as string, of)),
  });

describe('shares by weight', () => {
  it('are exact to within one call between any two targets, at every length', () => {
    fc.assert(
      fc.property(
        weights,
        fc.double({ min: 0.05, max: 20, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        (peers, local, calls) => {
          const function_ = weighted(local, peers);
          const counts = run(function_, liveOf(planOf(function_)), calls);
          const targets = [['here', local] as const, ...function_.peers.map(({ id, weight }) => [id, weight] as const)];
          for (const [one, weightOfOne] of targets) {
            for (const [other, weightOfOther] of targets) {
              const ahead = (counts.get(one) ?? 0) / weightOfOne - (counts.get(other) ?? 0) / weightOfOther;
              expect(ahead).toBeLessThanOrEqual(1 / weightOfOne + 1 / weightOfOther + 1e-6);
            }
          }
        },
      ),
    );
  });

  it('give a newcomer its share from now on, and nothing of the past', () => {
    const two = weighted(1, [1]);
    const live = liveOf(planOf(two));
    run(two, live, 1_000);
    const three = weighted(1, [1, 1]);
    peerLive(live, nodeId('b'));
    expect(run(three, live, 300).get('b')).toBeLessThanOrEqual(102);
  });

  it('let nobody starve when several come back at once', () => {
    const all = weighted(0, [1, 1, 1]);
    const live = liveOf(planOf(all));
    run(all, live, 30);
    for (const away of ['b', 'c']) failed(live, nodeId(away), 0);
    run(all, live, 3_000);
    for (const back of ['b', 'c']) answered(live, nodeId(back));
    expect(run(all, live, 300).get('a')).toBeGreaterThanOrEqual(98);
  });

  it('are not moved by what this node keeps for itself under local-first', () => {
    const local = { weight: 1, limit: { kind: 'in-flight', count: 10 } as const };
    const one = functionPlan({ policy: 'local-first', local, peers: [share('a')] });
    const live = liveOf(planOf(one));
    run(one, live, 1_000);
    const two = functionPlan({ policy: 'local-first', local, peers: [share('a'), share('b')] });
    peerLive(live, nodeId('b'));
    expect(run(two, live, 100).get('b')).toBeLessThanOrEqual(52);
  });

  it('follow weights that change, however small one was before', () => {
    const live = liveOf(planOf(weighted(1, [1])));
    run(weighted(1, [0.000_1]), live, 20_000);
    expect(run(weighted(1, [1]), live, 100).get('a')).toBeGreaterThanOrEqual(48);
  });
});

describe('counters', () => {
  const step = fc.record({
    kind: fc.constantFrom('local', 'received', 'forward', 'replica'),
    who: fc.nat(3),
    took: fc.nat(100),
  });

  it('are all zero again when everything that began has ended, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat())), (steps) => {
        const live = emptyLive();
        const function_ = functionPlan({ peers: names.map((id) => share(id)) });
        const ends: (() => void)[] = [];
        for (const [{ kind, who, took }, when] of steps) {
          const id = nodeId(names[who] as string);
          ends.splice(when % (ends.length + 1), 0, begin(live, function_, kind, id, took));
        }
        for (const end of ends) end();
        expect(live.running.count).toBe(0);
        const of = functionLive(live, key);
        expect([of.running, ...of.replicas.values()].map(({ count }) => count)).toEqual(
          [of.running, ...of.replicas.values()].map(() => 0),
        );
        for (const flow of [...of.sent.values(), ...of.received.values()]) expect(flow.calls.count).toBe(0);
        for (const peer of live.peers.values()) expect(peer.outstanding.count).toBe(0);
        prune(live, nothing);
        expect([live.functions.size, live.peers.size]).toEqual([0, 0]);
      }),
    );
  });

  const begin = (live: Live, function_: FunctionPlan, kind: string, id: NodeId, took: number): (() => void) => {
    const plan = planOf(function_, { slots: 1e9 });
    switch (kind) {
      case 'forward':
        expect(beginForward(live, plan, key, id, 0)).toBe(true);
        return () => endForward(live, key, id);
      case 'replica':
        const one = { ...function_, replicas: [replica(id)] };
        expect(beginReplica(one, functionLive(live, key))?.id).toBe(id);
        return () => endReplica(functionLive(live, key), id, took);
      default: {
        const from = kind === 'local' ? undefined : id;
        expect(beginLocal(live, plan, key, from, 0)).toBe(true);
        return () => endLocal(live, key, from);
      }
    }
  };

  it('of what still runs outlive a plan that names it no more', () => {
    const live = emptyLive();
    const g = functionKey('g');
    beginForward(live, planOf(functionPlan({ peers: [share('a')] })), key, nodeId('a'), 0);
    beginLocal(live, planOf(functionPlan(), { functions: { [g]: functionPlan() } }), g, nodeId('b'), 0);
    prune(live, nothing);
    expect(peerLive(live, nodeId('a')).outstanding.count).toBe(1);
    expect(functionLive(live, g).running.count).toBe(1);
    endForward(live, key, nodeId('a'));
    endLocal(live, g, nodeId('b'));
    prune(live, nothing);
    expect([live.functions.size, live.peers.size, live.running.count]).toEqual([0, 0, 0]);
  });
});

describe('a peer that does not answer', () => {
  it('is left alone longer each time, at most half a minute, until it answers', () => {
    const live = emptyLive();
    let now = 0;
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8].map(() => {
      failed(live, nodeId('a'), now);
      const pause = peerLive(live, nodeId('a')).suspicion.until - now;
      now += pause;
      return pause;
    });
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    answered(live, nodeId('a'));
    expect(peerLive(live, nodeId('a')).suspicion.until).toBe(0);
  });

  it('is left alone once for all the calls that failed with it', () => {
    const live = emptyLive();
    for (const now of [0, 1, 2, 999]) failed(live, nodeId('a'), now);
    expect(peerLive(live, nodeId('a')).suspicion.until).toBe(1_000);
  });

  it('keeps what is known of its function when it refuses', () => {
    const live = emptyLive();
    reported(live, nodeId('a'), key, { inFlight: 1, slots: 4, function: { inFlight: 1, limit: 2, replicas: 1 } }, 5);
    closed(live, nodeId('a'), key, 99);
    expect(peerLive(live, nodeId('a')).functions.get(key)).toMatchObject({ limit: 2, replicas: 1, closedUntil: 99 });
    reported(live, nodeId('a'), key, { inFlight: 0, slots: 4, function: { inFlight: 0, limit: 2 } }, 6);
    expect(peerLive(live, nodeId('a')).functions.get(key)).toMatchObject({ replicas: 1, closedUntil: 99 });
  });
});

describe('replicas', () => {
  it('are filled by weight, and none beyond its bound', () => {
    const function_ = functionPlan({
      replicas: [replica('one', { maxInFlight: 1 }), replica('two', { weight: 2, maxInFlight: 4 })],
    });
    const live = functionLive(emptyLive(), key);
    const order: (string | undefined)[] = [];
    for (let call = 0; call < 6; call += 1) {
      order.push(beginReplica(function_, live)?.id);
    }
    expect(order).toEqual(['two', 'one', 'two', 'two', 'two', undefined]);
  });

  it('move the mean run time by a tenth of each run that ended well', () => {
    const live = functionLive(emptyLive(), key);
    for (const took of [100, 200, undefined]) {
      beginReplica(functionPlan({ replicas: [replica('r')] }), live);
      endReplica(live, 'r', took);
    }
    expect(live.serviceMs).toBeCloseTo(110);
  });
});
