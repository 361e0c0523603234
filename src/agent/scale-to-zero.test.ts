import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openMemory } from '../dataplanes/memory/open.testing.ts';
import { functionPlan, TestNode } from '../dataplanes/test-node.testing.ts';
import { functionKey } from '../domain/ids.ts';
import { makeProvider, nodeBundle } from '../providers/process/provider.testing.ts';
import { systemClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { silentLog } from '../telemetry/log.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';
import { Scaler } from './scaler.ts';

const key = functionKey('slow');
const ref = { name: 'slow', namespace: 'openfaas-fn' };
const nothing = async (): Promise<void> => {};
const kept = { get: () => 0, set: nothing, rests: () => false, rest: nothing, retain: nothing, written: nothing };

/** A real function of real processes behind a real data plane, kept by the scaler as an agent does it. */
const open = async (zeroDuration: string, envVars: Readonly<Record<string, string>>) => {
  let coldStarts = 0;
  const bench = await makeProvider({ poolSize: 2, drainDelayMs: 100, onColdStart: () => (coldStarts += 1) });
  const { provider } = bench;
  const node = await TestNode.start('one', openMemory);
  const code = `export default async (request) => {
    const ms = Number(await request.text());
    await new Promise((resolve) => setTimeout(resolve, ms));
    return new Response('done');
  }`;
  const made = await bench.spec(ref, '1', nodeBundle(code), envVars);
  const labels = { 'com.openfaas.scale.min': '0', 'com.openfaas.scale.zero-duration': zeroDuration };
  const deployment = { ...made.deployment, labels };
  const spec = { ...made, deployment };
  const value = { deployment, digest: spec.digest, createdAt: '' };
  const hosted: Hosted = { key, ref, value, settings: settingsOf(deployment), spec, ready: true };
  const scaler = new Scaler({ provider, clock: systemClock, log: silentLog, kept, maxReplicas: 8, idleMs: 60_000 });
  const replan = (): void => {
    const maxInFlight = 8 * hosted.settings.perReplica;
    const plan = functionPlan(provider.resolve(ref), {
      canStart: true,
      maxInFlight,
      queueMs: 60_000,
      timeoutMs: 90_000,
    });
    void node.apply(64, { slow: plan });
  };
  const look = async (): Promise<void> => {
    const { inFlight, queued } = await node.observed('slow');
    scaler.look(hosted, { inFlight: inFlight + queued, perSecond: 0 });
  };
  provider.onChange(() => {
    void look();
    replan();
  });
  node.plane.onDemand(({ inFlight }) => scaler.look(hosted, { inFlight, perSecond: 0 }));
  await provider.deploy(spec, 0);
  replan();
  const end = systemClock.every(10, () => void look());
  onTestFinished(async () => {
    end();
    await node.stop();
    await bench.close();
  });
  return {
    provider,
    coldStarts: () => coldStarts,
    call: async (ms: number): Promise<string> => {
      const answer = await fetch(`${node.url}/function/slow`, { method: 'POST', body: String(ms) });
      return `${answer.status} ${await answer.text()}`;
    },
  };
};

describe('a function that goes to nothing when it is idle', () => {
  test('loses no call that runs, and none that wakes it', { timeout: 180_000 }, async () => {
    const { provider, coldStarts, call } = await open('50ms', {});
    const random = seeded(7);
    const calls: Promise<string>[] = [];
    for (let round = 0; round < 30; round += 1) {
      const answer = call(random() * 120);
      calls.push(answer);
      if (random() < 0.7) await answer;
      // About as long as it takes to be let go, so that calls come in that very moment.
      await pause(20 + random() * 80);
    }
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['200 done']));
    expect(coldStarts()).toBeGreaterThan(3);
    await expect.poll(() => provider.resolve(ref).length, { timeout: 60_000 }).toBe(0);
  });

  test('starts for a burst as many replicas as it needs, each once', { timeout: 180_000 }, async () => {
    const { provider, coldStarts, call } = await open('1h', { max_inflight: '10' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(500)));
    expect(new Set(answers)).toEqual(new Set(['200 done']));
    await expect.poll(coldStarts, { timeout: 60_000 }).toBe(5);
    expect(await provider.list()).toMatchObject([{ replicas: 5, available: 5 }]);
  });
});
