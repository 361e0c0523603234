import { describe, expect, onTestFinished, test } from 'vitest';
import { functionKey, parseDigest, type Digest } from '../domain/ids.ts';
import { MemoryProvider } from '../providers/memory/memory-provider.ts';
import { ManualClock } from '../std/clock.ts';
import { silentLog } from '../telemetry/log.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';
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
  const scaler = new Scaler({ provider, clock, log: silentLog, maxReplicas: 8, idleMs: 60_000 });
  /** Looks, and waits until the provider has as many as were wanted. */
  const look = async (inFlight: number, perSecond = 0): Promise<number> => {
    scaler.look(hosted, { inFlight, perSecond });
    await new Promise((resolve) => setImmediate(resolve));
    await provider.scale(ref, (await provider.list())[0]?.replicas ?? 0);
    return (await provider.list())[0]?.replicas ?? -1;
  };
  return { clock, provider, scaler, hosted, look };
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

  test('follow calls a second where that is the measure', async () => {
    const { look } = await open({
      'com.openfaas.scale.min': '0',
      'com.openfaas.scale.type': 'rps',
      'com.openfaas.scale.target': '10',
      'com.openfaas.scale.target-proportion': '1',
    });
    expect(await look(1, 0)).toBe(1);
    expect(await look(1, 35)).toBe(4);
  });

  test('go when they were idle for their time', async () => {
    const { look, clock } = await open({ 'com.openfaas.scale.zero-duration': '10s' });
    expect(await look(1)).toBe(1);
    clock.advance(9_999);
    expect(await look(0)).toBe(1);
    clock.advance(1);
    expect(await look(0)).toBe(0);
  });

  test('stay as they were set by hand', async () => {
    const { look, clock, scaler, hosted, provider } = await open();
    await scaler.set(hosted, 3);
    expect((await provider.list())[0]?.replicas).toBe(3);
    clock.advance(3_600_000);
    expect(await look(0)).toBe(3);
    await scaler.set(hosted, 0);
    expect(await look(0)).toBe(0);
  });
});
