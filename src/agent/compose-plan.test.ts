import { describe, expect, test } from 'vitest';
import { functionKey, nodeId, parseDigest, type Digest } from '../domain/ids.ts';
import type { Route } from '../routing/plan.ts';
import { composePlan, maxReplicasOf, type PlanFacts } from './compose-plan.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';

const key = functionKey('echo');
const digest = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest;

const hosted = (labels: Record<string, string> = {}, envVars: Record<string, string> = {}, placed = true): Hosted => {
  const deployment = { service: 'echo', image: 'echo', labels, envVars };
  const ref = { name: 'echo', namespace: 'openfaas-fn' };
  return {
    key,
    ref,
    value: { deployment, digest, createdAt: '' },
    settings: settingsOf(deployment),
    spec: placed ? { ref, revision: '1', digest, deployment } : undefined,
    ready: placed,
  };
};

const facts = (function_: Hosted, changes: Partial<PlanFacts> = {}): PlanFacts => ({
  version: 7,
  node: { id: nodeId('me'), name: 'me' },
  slots: 8,
  limitOf: (_key, ofReplicas) => ofReplicas,
  draining: false,
  peers: [],
  hosted: new Map([[key, function_]]),
  replicas: () => [{ id: 'r', address: { kind: 'unix', path: '/r' }, version: '1', weight: 1, maxInFlight: 0 }],
  problem: () => undefined,
  routes: {},
  homesToCome: () => [],
  maxReplicas: 8,
  queueMs: 1_000,
  timeoutMs: 60_000,
  ...changes,
});

const route: Route = {
  policy: 'least-loaded',
  local: { weight: 1 },
  peers: [{ id: nodeId('peer'), weight: 4 }],
  rejectShare: 0,
  admission: { peers: {} },
};

describe('a plan', () => {
  test('joins the route with the replicas, limits and times of the function', () => {
    const labels = { 'dfaas.maxrate': '10', 'dfaas.timeout_ms': '250', 'com.openfaas.scale.max': '3' };
    const plan = composePlan(facts(hosted(labels, { max_inflight: '2' }), { routes: { [key]: route } }));
    expect(plan.functions[key]).toMatchObject({
      ...route,
      maxRate: 10,
      timeoutMs: 250,
      maxInFlight: 6,
      canStart: true,
      queueMs: 1_000,
      hops: 1,
    });
    expect(plan.functions[key]?.replicas).toHaveLength(1);
  });

  test('keeps a function here until a strategy has spoken, and takes nothing for it from peers', () => {
    const plan = composePlan(facts(hosted()));
    expect(plan.functions[key]).toMatchObject({
      peers: [],
      admission: { others: { kind: 'in-flight', count: 0 } },
      maxInFlight: 0,
    });
  });

  test('names no replicas of a function that lives elsewhere', () => {
    const plan = composePlan(facts(hosted({}, {}, false), { routes: { [key]: route } }));
    expect(plan.functions[key]).toMatchObject({ replicas: [], canStart: false });
    expect(plan.functions[key]?.peers).toHaveLength(1);
  });

  test('lets calls wait while a home is to come, and only then', () => {
    const coming = { homesToCome: () => [nodeId('coming')] };
    const waits = composePlan(facts(hosted({}, {}, false), coming)).functions[key];
    expect(waits?.peers).toEqual([{ id: 'coming', weight: 0 }]);
    const known = composePlan(facts(hosted({}, {}, false), { ...coming, routes: { [key]: route } })).functions[key];
    expect(known?.peers).toEqual(route.peers);
  });

  test('lets calls wait for what is made ready here, where nobody else is to run it', () => {
    const preparing = { ...hosted(), ready: false };
    const cold = { replicas: () => [] };
    expect(composePlan(facts(preparing, cold)).functions[key]?.canStart).toBe(true);
    const shared = composePlan(facts(preparing, { ...cold, routes: { [key]: route } })).functions[key];
    expect(shared?.canStart).toBe(false);
    const failing = composePlan(facts(preparing, { ...cold, problem: () => 'It fails.' })).functions[key];
    expect(failing).toMatchObject({ canStart: false, problem: 'It fails.' });
  });

  test('says that a function fails only while none of its replicas runs here', () => {
    const fails = composePlan(facts(hosted(), { replicas: () => [], problem: () => 'It fails.' })).functions[key];
    expect(fails).toMatchObject({ canStart: false, problem: 'It fails.' });
    const runs = composePlan(facts(hosted(), { problem: () => 'It fails.' })).functions[key];
    expect(runs?.canStart).toBe(true);
    expect(runs).not.toHaveProperty('problem');
  });

  test('bounds replicas by the label and by the node', () => {
    expect(maxReplicasOf(hosted({ 'com.openfaas.scale.max': '3' }), 8)).toBe(3);
    expect(maxReplicasOf(hosted({ 'com.openfaas.scale.max': '30' }), 8)).toBe(8);
    expect(maxReplicasOf(hosted(), 8)).toBe(8);
  });
});
