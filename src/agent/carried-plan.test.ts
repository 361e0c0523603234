import { describe, expect, test } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import { localRoute, type FunctionPlan, type PeerPlan, type Plan } from '../routing/plan.ts';
import { CarriedPlan, reunionMs } from './carried-plan.ts';

const [a, b] = [nodeId('a'), nodeId('b')];
const key = functionKey('echo', 'openfaas-fn');
const peer = (name: string): PeerPlan => ({
  id: nodeId(name),
  name,
  address: { kind: 'tcp', host: '127.0.0.1', port: 1 },
  publicKey: '00'.repeat(32),
  slots: 4,
  rttMs: 1,
});
const function_: FunctionPlan = {
  policy: 'local-first',
  local: { weight: 1, limit: { kind: 'rate', perSecond: 10 } },
  peers: [
    { id: a, weight: 2 },
    { id: b, weight: 1 },
  ],
  rejectShare: 0,
  admission: { peers: {} },
  replicas: [],
  canStart: true,
  maxInFlight: 0,
  maxRate: 0,
  queueMs: 0,
  timeoutMs: 1,
  hops: 1,
};
const plan: Plan = {
  version: 1,
  node: { id: nodeId('self'), name: 'self' },
  slots: 4,
  draining: false,
  peers: [peer('a'), peer('b')],
  functions: { [key]: function_ },
};
const sharedWith = (carried: CarriedPlan): readonly string[] =>
  carried.routes({ [key]: localRoute })[key]!.peers.map(({ id }) => id);

describe('the plan of the agent before this one', () => {
  test('knows the peers and where calls go until they are found again', () => {
    const carried = new CarriedPlan(plan, 0, 0);
    carried.look(new Set([a]), 100);
    expect(carried.peers([peer('a')]).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(sharedWith(carried)).toEqual(['a', 'b']);
    expect(carried.isOver(100)).toBe(false);
    expect(carried.look(new Set([a, b]), 200)).toBe(true);
    expect(carried.isOver(200)).toBe(true);
  });

  test('does not wait for ever for a peer that is gone', () => {
    const carried = new CarriedPlan(plan, 0, 0);
    carried.look(new Set([a]), reunionMs - 1);
    expect(carried.isOver(reunionMs - 1)).toBe(false);
    carried.look(new Set([a]), reunionMs);
    expect(carried.isOver(reunionMs)).toBe(true);
  });

  test('goes on deciding while the strategy does not know enough yet, but sends nothing to who is not there', () => {
    const carried = new CarriedPlan(plan, 0, 90_000);
    carried.look(new Set([a]), reunionMs);
    expect(carried.peers([peer('a')]).map(({ name }) => name)).toEqual(['a']);
    expect(sharedWith(carried)).toEqual(['a']);
    expect(carried.look(new Set([a]), 60_000)).toBe(false);
    expect(carried.look(new Set([a, b]), 61_000)).toBe(true);
    expect(sharedWith(carried)).toEqual(['a', 'b']);
    expect(carried.isOver(89_999)).toBe(false);
    expect(carried.look(new Set([a, b]), 90_000)).toBe(true);
    expect(carried.isOver(90_000)).toBe(true);
  });

  test('says nothing of functions that came later', () => {
    const carried = new CarriedPlan(plan, 0, 90_000);
    const later = functionKey('later', 'openfaas-fn');
    expect(carried.routes({ [later]: localRoute })[later]).toBe(localRoute);
  });
});
