import { describe, expect, it } from 'vitest';
import { functionKey, type FunctionKey } from '../domain/ids.ts';
import { asyncMetrics, type AsyncCounts } from './async-instruments.ts';

const [echo, gone] = [functionKey('echo'), functionKey('gone')];
const none: AsyncCounts = { waiting: 0, running: 0, dead: 0, oldestAgeMs: 0 };

type Series = {
  readonly name: string;
  readonly values: readonly { readonly labels: object; readonly value: number }[];
};

const begin = (held: () => readonly FunctionKey[]) => {
  const metrics = asyncMetrics({
    stats: async () =>
      held().map((key) => ({
        function: key,
        calls: { waiting: 3, running: 2, dead: 1, oldestAgeMs: 4_500 },
        callbacks: none,
      })),
    isKnown: (key) => key === echo,
  });
  const values = async (name: string) =>
    ((await metrics.metrics()) as readonly Series[]).find((one) => one.name === name)?.values ?? [];
  return { metrics, values };
};

describe('metrics of asynchronous calls', () => {
  it('tell what the queue holds at the moment when they are read', async () => {
    let held = [echo];
    const { values } = begin(() => held);
    const call = { function_name: echo, kind: 'call' };
    expect(await values('skein_async_waiting')).toContainEqual({ labels: call, value: 3 });
    expect(await values('skein_async_running')).toContainEqual({ labels: call, value: 2 });
    expect(await values('skein_async_dead_letters')).toContainEqual({ labels: call, value: 1 });
    expect(await values('skein_async_oldest_age_seconds')).toContainEqual({ labels: call, value: 4.5 });
    held = [];
    expect(await values('skein_async_waiting')).toEqual([]);
  });

  it('count what became of calls and callbacks', async () => {
    const { metrics, values } = begin(() => []);
    metrics.accepted(echo);
    metrics.begun(echo, 'call', 0.2);
    for (const how of ['retried', 'retried', 'done'] as const) metrics.ended(echo, 'call', how);
    metrics.ended(echo, 'callback', 'buried');
    expect(await values('skein_async_accepted_total')).toEqual([{ labels: { function_name: echo }, value: 1 }]);
    const call = { function_name: echo, kind: 'call' };
    expect(await values('skein_async_retries_total')).toEqual([{ labels: call, value: 2 }]);
    expect(await values('skein_async_completed_total')).toEqual([{ labels: call, value: 1 }]);
    const callback = { function_name: echo, kind: 'callback' };
    expect(await values('skein_async_buried_total')).toEqual([{ labels: callback, value: 1 }]);
    expect((await values('skein_async_wait_seconds')).length).toBeGreaterThan(0);
  });

  it('forget a function that is not deployed any more once the queue holds nothing of it', async () => {
    let held = [gone];
    const { metrics, values } = begin(() => held);
    metrics.accepted(gone);
    metrics.begun(gone, 'call', 1);
    metrics.ended(gone, 'call', 'done');
    expect(await values('skein_async_completed_total')).toHaveLength(1);
    held = [];
    for (const name of ['accepted_total', 'completed_total', 'wait_seconds']) {
      expect(await values(`skein_async_${name}`)).toEqual([]);
    }
  });
});
