import { describe, expect, it } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import { admit } from './admit.ts';
import { beginLocal, endLocal, type Live } from './live.ts';
import type { Plan } from './plan.ts';
import { frozen, functionPlan, key, liveOf, planOf } from './plans.testing.ts';

const peer = nodeId('a');
const admitted = { admitted: true };
const refused = (reason: string, status: number) => ({ admitted: false, reason, status });

const ask = (plan: Plan, live: Live, now = 0, from = peer) => admit(plan, live, from, key, now);
const received = (plan: Plan, live: Live, calls: number, from = peer): Live => {
  for (let call = 0; call < calls; call += 1) beginLocal(live, plan, key, from, 0);
  return live;
};

describe('a peer’s call', () => {
  it('is taken up to the last slot, and not beyond', () => {
    const plan = planOf(functionPlan());
    expect(ask(plan, received(plan, liveOf(plan), 3))).toEqual(admitted);
    expect(ask(plan, received(plan, liveOf(plan), 4))).toEqual(refused('full', 503));
  });

  it('meets this node’s own calls in the same slots', () => {
    const plan = planOf(functionPlan());
    const live = liveOf(plan);
    for (let call = 0; call < 4; call += 1) beginLocal(live, plan, key, undefined, 0);
    expect(ask(plan, live)).toEqual(refused('full', 503));
  });

  it.each([
    ['of no known function', {}, {}, refused('unknown-function', 404), functionKey('g')],
    ['while this node leaves', {}, { draining: true }, refused('draining', 503), key],
    ['where nothing runs or can be started', { replicas: [] }, {}, refused('no-replica', 503), key],
    ['where none can be started', { replicas: [], problem: 'It fails.' }, {}, refused('start-failed', 503), key],
    ['where a replica can be started', { replicas: [], canStart: true }, {}, admitted, key],
    ['of a function at its bound', { maxInFlight: 1 }, {}, refused('full', 429), key],
    ['of a function at its rate', { maxRate: 1 }, {}, refused('over-rate', 429), key],
  ] as const)('%s', (_name, function_, node, expected, asked) => {
    const plan = planOf(functionPlan(function_), node);
    const live = received(plan, liveOf(plan), 1, nodeId('b'));
    expect(admit(plan, live, peer, asked, 0)).toEqual(expected);
  });

  it('is bounded by what its sender was granted, else by what others are', () => {
    const admission = {
      peers: { [peer]: { kind: 'in-flight', count: 2 } as const },
      others: { kind: 'in-flight', count: 0 } as const,
    };
    const plan = planOf(functionPlan({ admission }));
    expect(ask(plan, received(plan, liveOf(plan), 1))).toEqual(admitted);
    expect(ask(plan, received(plan, liveOf(plan), 2))).toEqual(refused('full', 429));
    expect(ask(plan, liveOf(plan), 0, nodeId('b'))).toEqual(refused('full', 429));
  });

  it('is bounded by a rate per peer that the others’ calls do not use up', () => {
    const plan = planOf(functionPlan({ admission: { peers: {}, others: { kind: 'rate', perSecond: 2 } } }), {
      slots: 99,
    });
    const live = received(plan, liveOf(plan), 2);
    expect(ask(plan, live)).toEqual(refused('over-rate', 429));
    expect(ask(plan, live, 0, nodeId('b'))).toEqual(admitted);
    expect(ask(plan, live, 500)).toEqual(admitted);
  });

  it('finds room again when one has ended', () => {
    const plan = planOf(functionPlan({ admission: { peers: {}, others: { kind: 'in-flight', count: 1 } } }));
    const live = received(plan, liveOf(plan), 1);
    expect(ask(plan, live)).toEqual(refused('full', 429));
    endLocal(live, key, peer);
    expect(ask(plan, live)).toEqual(admitted);
  });

  it('changes nothing by being asked about', () => {
    const plan = frozen(
      planOf(functionPlan({ maxRate: 3, admission: { peers: {}, others: { kind: 'rate', perSecond: 2 } } })),
    );
    const live = frozen(received(plan, liveOf(plan), 1));
    expect(ask(plan, live)).toEqual(ask(plan, live));
  });
});
