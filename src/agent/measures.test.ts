import { describe, expect, test } from 'vitest';
import { functionKey, parseDigest, type Digest } from '../domain/ids.ts';
import { ManualClock } from '../std/clock.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';
import { Measures } from './measures.ts';

const key = functionKey('echo');
const ref = { name: 'echo', namespace: 'openfaas-fn' };
const digest = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest;

const hostedWith = (labels: Record<string, string>): ReadonlyMap<typeof key, Hosted> => {
  const deployment = { service: 'echo', image: 'echo', labels };
  const spec = { ref, revision: '1', digest, deployment };
  const value = { deployment, digest, createdAt: '' };
  return new Map([[key, { key, ref, value, settings: settingsOf(deployment), spec, ready: true }]]);
};

const open = () => {
  const clock = new ManualClock();
  const sampled: (readonly number[])[] = [];
  const asked = { queue: 0 };
  const pids: number[] = [];
  const measures = new Measures({
    provider: { pids: () => [...pids] },
    queued: async () => {
      asked.queue += 1;
      return new Map([[key, 7]]);
    },
    clock,
    sampler: () => async (of) => {
      sampled.push(of);
      return { cpu: of.length * 100, totalMemoryBytes: of.length };
    },
  });
  return { clock, sampled, asked, pids, measures };
};

describe('what functions use', () => {
  test('is read when their processes change, and else every five seconds', async () => {
    const { clock, sampled, pids, measures } = open();
    const hosted = hostedWith({});
    await measures.look(hosted);
    expect(measures.usage(key)).toBeUndefined();
    pids.push(1);
    await measures.look(hosted);
    await measures.look(hosted);
    expect(measures.usage(key)).toEqual({ cpu: 100, totalMemoryBytes: 1 });
    pids.push(2);
    await measures.look(hosted);
    clock.advance(4_999);
    await measures.look(hosted);
    expect(sampled).toEqual([[1], [1, 2]]);
    clock.advance(1);
    await measures.look(hosted);
    expect(sampled).toHaveLength(3);
    pids.length = 0;
    await measures.look(hosted);
    expect(measures.usage(key)).toEqual({ cpu: 0, totalMemoryBytes: 0 });
    await measures.look(new Map());
    expect(measures.usage(key)).toBeUndefined();
  });

  test('is read every second where it decides how many replicas there are', async () => {
    const { clock, sampled, pids, measures } = open();
    pids.push(1);
    const hosted = hostedWith({ 'com.openfaas.scale.type': 'cpu' });
    await measures.look(hosted);
    clock.advance(1_000);
    await measures.look(hosted);
    expect(sampled).toHaveLength(2);
  });

  test('is not known where a provider has no processes', async () => {
    const measures = new Measures({ provider: {}, queued: async () => new Map(), clock: new ManualClock() });
    await measures.look(hostedWith({}));
    expect(measures.usage(key)).toBeUndefined();
  });
});

describe('the queue', () => {
  test('is asked every second, and only where a function goes by it', async () => {
    const { clock, asked, measures } = open();
    await measures.look(hostedWith({}));
    expect(asked.queue).toBe(0);
    expect(measures.queued(key)).toBe(0);
    const hosted = hostedWith({ 'com.openfaas.scale.type': 'queue' });
    await measures.look(hosted);
    await measures.look(hosted);
    expect(asked.queue).toBe(1);
    expect(measures.queued(key)).toBe(7);
    clock.advance(1_000);
    await measures.look(hosted);
    expect(asked.queue).toBe(2);
  });
});
