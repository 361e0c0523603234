import * as fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../std/clock.ts';
import { mergeLogs } from './log-merge.ts';
import type { LogLine } from './needs.ts';

const line = (at: number, instance: string): LogLine => ({
  timestamp: new Date(at).toISOString(),
  instance,
  text: `${instance} at ${at}`,
});

const part = async function* (lines: readonly LogLine[], fault?: Error): AsyncGenerator<LogLine> {
  yield* lines;
  if (fault !== undefined) throw fault;
};

const all = async (lines: AsyncIterable<LogLine>): Promise<readonly LogLine[]> => {
  const read: LogLine[] = [];
  for await (const one of lines) read.push(one);
  return read;
};

const options = { tail: 0, end: () => {}, clock: systemClock };
const times = (lines: readonly LogLine[]): readonly string[] => lines.map(({ timestamp }) => timestamp);

describe('logs of several nodes', () => {
  const log = fc.array(fc.nat(1000), { maxLength: 30 }).map((times) => times.sort((a, b) => a - b));

  it('become one by time that holds every line once, and with a tail its newest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(log, { maxLength: 4 }), fc.nat(40), async (logs, tail) => {
        const lines = logs.map((times, node) => times.map((at) => line(at, `n${node}`)));
        const parts = () => lines.map((lines) => part(lines));
        const merged = await all(mergeLogs(parts(), options));
        expect(times(merged)).toEqual(times(lines.flat()).toSorted());
        expect(new Set(merged)).toEqual(new Set(lines.flat()));
        const cut = await all(mergeLogs(parts(), { ...options, tail }));
        expect(cut).toEqual(tail === 0 ? merged : merged.slice(-tail));
      }),
    );
  });

  it('knows finer times than milliseconds', async () => {
    const fine = (timestamp: string): LogLine => ({ timestamp, instance: 'a', text: '' });
    const [first, second] = [fine('2026-01-01T00:00:00.000000001Z'), fine('2026-01-01T00:00:00.000000002Z')];
    expect(await all(mergeLogs([part([second]), part([first])], options))).toEqual([first, second]);
  });

  it('lose only the part that fails or falls silent', async () => {
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const clock = new ManualClock();
    const parts = [part([line(1, 'a')], new Error('gone')), silent, part([line(2, 'b')])];
    const merged = all(mergeLogs(parts, { ...options, clock }));
    await setImmediate();
    clock.advance(3_000);
    expect((await merged).map(({ instance }) => instance)).toEqual(['a', 'b']);
  });

  it('end their parts when nobody reads on', async () => {
    let ended = 0;
    const merged = mergeLogs([part([line(1, 'a')])], { ...options, end: () => void ended++ });
    await merged.next();
    await merged.return();
    expect(ended).toBe(1);
  });
});
