import { expect, test } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import type { FunctionHost, NodeFunction } from '../gateway/needs.ts';
import { localRoute, type FunctionPlan, type PeerPlan, type Plan } from '../routing/plan.ts';
import { asReached, namedHere, reaches, runsHere } from './reach.ts';

const key = functionKey('echo');
const [near, far] = [nodeId('near'), nodeId('far')];
const address = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
const peer = (id: typeof near): PeerPlan => ({ id, name: id, address, publicKey: '', slots: 4, rttMs: 1 });
const replica = { id: 'r1', address, version: '1', weight: 1, maxInFlight: 0 };

const planOf = (function_: Partial<FunctionPlan>, changes: Partial<Plan> = {}): Plan => ({
  version: 1,
  node: { id: nodeId('me'), name: 'me' },
  slots: 4,
  draining: false,
  peers: [peer(near)],
  functions: {
    [key]: {
      ...localRoute,
      replicas: [],
      canStart: false,
      maxInFlight: 0,
      maxRate: 0,
      queueMs: 1,
      timeoutMs: 1,
      hops: 1,
      ...function_,
    },
  },
  ...changes,
});

const sharing = { peers: [{ id: near, weight: 4 }] };

test.each([
  ['sends calls there', planOf(sharing), true],
  ['runs them itself', planOf({ replicas: [replica] }), true],
  ['starts them itself', planOf({ canStart: true }), true],
  ['names it without weight: it may become a place', planOf({ peers: [{ id: near, weight: 0 }] }), false],
  ['names another', planOf({ peers: [{ id: far, weight: 1 }] }, { peers: [peer(near), peer(far)] }), false],
  ['does not say where it is', planOf(sharing, { peers: [] }), false],
  ['names nobody', planOf({}), false],
  ['takes no calls itself any more', planOf({ canStart: true }, { draining: true }), false],
  ['does not know the function', { ...planOf(sharing), functions: {} }, false],
  ['is not there', undefined, false],
])('a peer is reached or not by a plan that %s', (_name, plan, expected) => {
  expect(reaches(plan, key, near)).toBe(expected);
});

test('only replicas that the plan names are found by the next call', () => {
  const plan = planOf({ replicas: [replica] });
  expect(namedHere(plan, key, [{ id: 'r1' }, { id: 'r2' }])).toBe(1);
  expect(namedHere(undefined, key, [{ id: 'r1' }])).toBe(0);
  expect(runsHere(plan, key)).toBe(true);
  expect(runsHere(planOf(sharing), key)).toBe(false);
});

test('replicas of a peer that is not reached are there, and not available', async () => {
  const one = { namespace: 'openfaas-fn', placed: true, replicas: 2, availableReplicas: 2, invocationCount: 7 };
  const functions: readonly NodeFunction[] = [
    { ...one, name: 'echo' },
    { ...one, name: 'other' },
  ];
  const unused = (): never => expect.unreachable();
  const host: FunctionHost = {
    id: 'near',
    name: 'near',
    list: () => Promise.resolve(functions),
    scale: unused,
    logs: unused,
  };
  const seen = await asReached(host, (asked) => asked === key).list(new AbortController().signal);
  expect(seen).toEqual([functions[0], { ...functions[1], availableReplicas: 0 }]);
});
