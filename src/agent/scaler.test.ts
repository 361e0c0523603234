import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { FunctionDeployment } from '../domain/function.ts';
import { functionKey, parseDigest, type Digest } from '../domain/ids.ts';
import { MemoryProvider } from '../providers/memory/memory-provider.ts';
import { ManualClock } from '../std/clock.ts';
import { silentLog } from '../telemetry/log.ts';
import type { FunctionLoad } from './function-loads.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';
import { KeptScale } from './kept-scale.ts';
import { Scaler } from './scaler.ts';

const ref = { name: 'echo', namespace: 'openfaas-fn' };
const digest = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest;

const open = async (labels: Record<string, string> = {}, envVars: Record<string, string> = {}) => {
  const clock = new ManualClock();
  const provider = new MemoryProvider({ clock, maxReplicas: 20, code: () => async () => (_, answer) => answer.end() });
  onTestFinished(() => provider.stop());
  const deployment = { service: 'echo', image: 'echo', labels, envVars };
  const spec = { ref, revision: '1', digest, deployment };
  const hosted: Hosted = {
    key: functionKey('echo'),
    ref,
    value: { deployment, digest, createdAt: '' },
    settings: settingsOf(deployment),
    spec,
    ready: true,
  };
  await provider.deploy(spec, 0);
  const folder = await mkdtemp(join(tmpdir(), 'skein-scaler-'));
  let kept: KeptScale | undefined;
  onTestFinished(async () => {
    await kept?.written();
    await rm(folder, { recursive: true });
  });
  /** The agent before is gone. */
  const another = async (): Promise<Scaler> => {
    await kept?.written();
    kept = await KeptScale.open(join(folder, 'scale.json'));
    return new Scaler({ provider, clock, log: silentLog, kept, maxReplicas: 8, idleMs: 60_000 });
  };
  const scaler = await another();
  /** Looks, and waits until the provider has as many as were wanted. */
  const look = async (
    inFlight: number,
    more: Partial<FunctionLoad> = {},
    by = scaler,
    as = hosted,
  ): Promise<number> => {
    by.look(as, { inFlight, perSecond: 0, ...more });
    await new Promise((resolve) => setImmediate(resolve));
    await provider.scale(ref, (await provider.list())[0]?.replicas ?? 0);
    return (await provider.list())[0]?.replicas ?? -1;
  };
  /** What the function is after an update. */
  const updated = async (changes: Partial<FunctionDeployment>, revision: string): Promise<Hosted> => {
    const next = { ...deployment, ...changes };
    const updatedSpec = { ...spec, revision, deployment: next };
    await provider.update(updatedSpec);
    return { ...hosted, settings: settingsOf(next), spec: updatedSpec };
  };
  return { clock, provider, scaler, another, hosted, look, updated };
};

describe('replicas of a function at a node', () => {
  test('begin with one, and none where the first call is to start it', async () => {
    expect(await (await open()).look(0)).toBe(1);
    expect(await (await open({ 'com.openfaas.scale.min': '0' })).look(0)).toBe(0);
    expect(await (await open({ 'com.openfaas.scale.min': '3' })).look(0)).toBe(3);
  });

  test('follow calls at once where a replica has a bound, as far as the node goes', async () => {
    const { look } = await open({ 'com.openfaas.scale.min': '0' }, { max_inflight: '2' });
    expect(await look(1)).toBe(1);
    expect(await look(7)).toBe(4);
    expect(await look(100)).toBe(8);
  });

  test('follow what their labels say they are measured by', async () => {
    const loads = { rps: { perSecond: 35 }, cpu: { cpu: 35 }, queue: { queued: 35 } };
    for (const [type, load] of Object.entries(loads)) {
      const { look, clock } = await open({
        'com.openfaas.scale.min': '0',
        'com.openfaas.scale.type': type,
        'com.openfaas.scale.target': '10',
        'com.openfaas.scale.target-proportion': '1',
      });
      expect(await look(0)).toBe(0);
      expect(await look(1)).toBe(1);
      await look(1, load);
      clock.advance(6_000);
      expect(await look(1, load)).toBe(4);
    }
  });

  test('of a cold function are as many as a burst needs', async () => {
    const { look } = await open({
      'com.openfaas.scale.min': '0',
      'com.openfaas.scale.type': 'capacity',
      'com.openfaas.scale.target': '10',
      'com.openfaas.scale.target-proportion': '1',
    });
    expect(await look(50)).toBe(5);
  });

  test('stay while short calls come that no look sees running', async () => {
    const { look, clock } = await open({ 'com.openfaas.scale.zero-duration': '10s' });
    await look(0);
    for (let seconds = 0; seconds < 60; seconds += 5) {
      clock.advance(5_000);
      expect(await look(0, { perSecond: 0.2 })).toBe(1);
    }
    clock.advance(10_000);
    expect(await look(0)).toBe(0);
  });

  test('go when they were idle for their time', async () => {
    const { look, clock } = await open({ 'com.openfaas.scale.zero-duration': '10s' });
    expect(await look(1)).toBe(1);
    clock.advance(9_999);
    expect(await look(0)).toBe(1);
    clock.advance(1);
    expect(await look(0)).toBe(0);
  });

  test('begin again with one when what ran is updated, as its first deployment did', async () => {
    const { look, clock, scaler, updated } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    const next = await updated({ envVars: { GREETING: 'Hi' } }, '2');
    expect(scaler.wants(next)).toBe(true);
    scaler.begin(next);
    expect(await look(0, {}, scaler, next)).toBe(1);
    clock.advance(60_000);
    expect(await look(0, {}, scaler, next)).toBe(0);
    const cold = await updated({ envVars: {}, labels: { 'com.openfaas.scale.min': '0' } }, '3');
    scaler.begin(cold);
    expect(await look(0, {}, scaler, cold)).toBe(0);
  });

  test('stay none where an update changes no more than labels or the value of a secret', async () => {
    const { look, clock, scaler, updated } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    const next = await updated({ labels: { team: 'blue' }, annotations: { topic: 'x' } }, '2');
    scaler.begin(next);
    expect(await look(0, {}, scaler, next)).toBe(0);
    expect(scaler.wants(next)).toBe(false);
  });

  test('begin anew where a function comes back to the node', async () => {
    const { look, clock, scaler, hosted } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    scaler.look({ ...hosted, spec: undefined }, { inFlight: 0, perSecond: 0 });
    scaler.begin(hosted);
    expect(await look(0)).toBe(1);
  });

  test('stay none when another agent comes, and come back with a call', async () => {
    const { look, clock, another } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    const next = await another();
    expect(await look(0, {}, next)).toBe(0);
    expect(await look(1, {}, next)).toBe(1);
    expect(await look(0, {}, await another())).toBe(1);
  });

  test('begin again when another agent comes, where what is at zero was updated or deployed anew meanwhile', async () => {
    const { look, clock, another, hosted, updated } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    const next = await another();
    expect(next.wants(await updated({ labels: { team: 'blue' } }, '2'))).toBe(false);
    expect(next.wants(await updated({ envVars: { GREETING: 'Hi' } }, '3'))).toBe(true);
    expect(next.wants({ ...hosted, value: { ...hosted.value, createdAt: 'later' } })).toBe(true);
  });

  test('begin again when another agent comes, where what is at zero moved away and comes back', async () => {
    const { look, clock, another, hosted, scaler } = await open();
    await look(0);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
    scaler.look({ ...hosted, spec: undefined }, { inFlight: 0, perSecond: 0 });
    expect(await look(0, {}, await another())).toBe(1);
  });

  test('stay as they were set by hand, until they are left to the load', async () => {
    const { look, clock, scaler, hosted, provider } = await open();
    await scaler.set(hosted, { replicas: 3, held: true });
    expect((await provider.list())[0]?.replicas).toBe(3);
    clock.advance(3_600_000);
    expect(await look(0)).toBe(3);
    await scaler.set(hosted, { replicas: 0, held: false });
    expect(await look(0)).toBe(0);
    await scaler.set(hosted, { replicas: 1, held: false });
    expect(await look(0)).toBe(1);
    clock.advance(60_000);
    expect(await look(0)).toBe(0);
  });

  test('are set by hand within what the labels say', async () => {
    const labels = { 'com.openfaas.scale.min': '2', 'com.openfaas.scale.max': '4' };
    const { look, scaler, hosted } = await open(labels);
    await scaler.set(hosted, { replicas: 0, held: false });
    expect(await look(0)).toBe(2);
    await scaler.set(hosted, { replicas: 100, held: true });
    expect(await look(0)).toBe(4);
  });

  test('stay as they were set by hand when another agent comes', async () => {
    const { look, clock, scaler, another, hosted, provider } = await open();
    await scaler.set(hosted, { replicas: 3, held: true });
    const next = await another();
    next.adopt(hosted, 3);
    clock.advance(3_600_000);
    expect(await look(0, {}, next)).toBe(3);
    await provider.scale(hosted.ref, 0);
    expect(await look(0, {}, await another())).toBe(3);
    next.forget(new Map());
    await new Promise((resolve) => setImmediate(resolve));
    const redeployed = { ...hosted, value: { ...hosted.value, createdAt: 'later' } };
    const last = await another();
    last.adopt(redeployed, 1);
    last.look(redeployed, { inFlight: 0, perSecond: 0 });
    clock.advance(3_600_000);
    expect(await look(0, {}, last)).toBe(0);
  });
});
