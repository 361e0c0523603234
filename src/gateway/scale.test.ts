import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SkeinError } from '../domain/errors.ts';
import { ManualClock } from '../std/clock.ts';
import { askAll } from './ask.ts';
import type { FunctionHost, NodeFunction, ScaleWish } from './needs.ts';
import { scaleAll } from './scale.ts';

const ref = { name: 'figlet', namespace: 'openfaas-fn' };
const clock = new ManualClock();

type Told = Record<string, ScaleWish>;
type Scale = (signal: AbortSignal) => Promise<void>;

/** A node that lists one function and notes how it is told to scale it. */
const host = (name: string, one: Partial<NodeFunction>, told: Told, scale: Scale = async () => {}): FunctionHost => ({
  id: name,
  name,
  list: async () => [
    {
      ...ref,
      placed: true,
      replicas: 1,
      availableReplicas: 1,
      invocationCount: 0,
      bounds: { least: 0, most: 5, usual: 1 },
      ...one,
    },
  ],
  scale: async (_ref, wish, signal) => {
    told[name] = wish;
    await scale(signal);
  },
  logs: async function* () {},
});

const silent: FunctionHost = { ...host('silent', {}, {}), list: () => Promise.reject(new Error('refused')) };

describe('replicas by hand', () => {
  it('are held when they are more than the function begins with at all its nodes', async () => {
    const told: Told = {};
    const answers = await askAll([host('a', {}, told), host('b', { replicas: 0 }, told)], clock);
    await scaleAll(ref, answers, () => 3, clock);
    expect(told).toEqual({ a: { replicas: 2, held: true }, b: { replicas: 1, held: true } });
    await scaleAll(ref, answers, () => 2, clock);
    expect(told).toEqual({ a: { replicas: 1, held: false }, b: { replicas: 1, held: false } });
  });

  it('concern the nodes where the function lives, and go by what runs there', async () => {
    const told: Told = {};
    const hosts = [host('in', { placed: false, replicas: 0 }, told), host('a', { replicas: 2 }, told)];
    const wanted = ({ replicas, nodes }: { replicas: number; nodes: number }): number => 10 * nodes + replicas;
    await scaleAll(ref, await askAll(hosts, clock), wanted, clock);
    expect(told).toEqual({ a: { replicas: 5, held: true } });
  });

  it('stay as they are where nothing is to change', async () => {
    const told: Told = {};
    await scaleAll(ref, await askAll([host('a', {}, told)], clock), () => undefined, clock);
    expect(told).toEqual({});
  });

  it('name the nodes that do not answer, and those that do not get there', async () => {
    const told: Told = {};
    const good = await askAll([host('a', {}, told), silent], clock);
    expect(await scaleAll(ref, good, () => 0, clock)).toEqual({ replicas: 0, unreachable: ['silent'] });
    const full = (): Promise<void> => Promise.reject(new SkeinError('unavailable', 'it is full'));
    const answers = await askAll([host('a', {}, told), host('b', {}, told, full)], clock);
    await expect(scaleAll(ref, answers, () => 4, clock)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'figlet is not scaled at b: it is full',
    });
    expect(told['a']).toEqual({ replicas: 2, held: true });
    await expect(scaleAll(ref, await askAll([silent], clock), () => 1, clock)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('wait no longer than their bound for a node', async () => {
    const late: Scale = (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const scaled = scaleAll(ref, await askAll([host('a', {}, {}, late)], clock), () => 1, clock);
    const outcome = expect(scaled).rejects.toMatchObject({ code: 'timeout' });
    await setImmediate();
    clock.advance(25_000);
    await outcome;
  });
});
