import * as fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

const options = { tail: 0, follow: false, end: () => {}, clock: systemClock };
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

  it('when followed give first what is there, in order and cut, and then each line as it comes', async () => {
    const clock = new ManualClock();
    let tell = (_line: LogLine): void => {};
    const later = new Promise<LogLine>((resolve) => {
      tell = resolve;
    });
    const live = async function* (): AsyncGenerator<LogLine> {
      yield* [line(2, 'a'), line(4, 'a')];
      yield await later;
    };
    const followed = mergeLogs([live(), part([line(1, 'b'), line(3, 'b')])], {
      ...options,
      clock,
      tail: 3,
      follow: true,
    });
    const first = followed.next();
    await setImmediate();
    clock.advance(500);
    const early = [await first, await followed.next(), await followed.next()].map(({ value }) => value as LogLine);
    expect(early.map(({ text }) => text)).toEqual(['a at 2', 'b at 3', 'a at 4']);
    const next = followed.next();
    tell(line(0, 'a'));
    expect((await next).value).toMatchObject({ text: 'a at 0' });
    expect((await followed.next()).done).toBe(true);
  });

  it('when followed hold nothing of the lines that were read, however long a node says nothing', async () => {
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const busy = async function* (): AsyncGenerator<LogLine> {
      for (;;) {
        // Lines of a peer never are there at once.
        await Promise.resolve();
        yield line(1, 'a');
      }
    };
    const clock = new ManualClock();
    const followed = mergeLogs([busy(), silent], { ...options, clock, follow: true });
    const read = async (count: number): Promise<number> => {
      for (let left = count; left > 0; left--) await followed.next();
      return heapBytes();
    };
    const before = await read(30_000);
    const after = await read(100_000);
    expect(after - before).toBeLessThan(100 * 100_000);
    await followed.return();
  });

  it('end their parts when nobody reads on', async () => {
    let ended = 0;
    const followed = mergeLogs([part([line(1, 'a')])], { ...options, end: () => void ended++ });
    await followed.next();
    await followed.return();
    expect(ended).toBe(1);
  });
});

/** After all garbage is gone. */
const heapBytes = (): number => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
};
