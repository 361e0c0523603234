import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../std/clock.ts';
import { followLogs, type FollowedNode, type FollowOptions } from './log-follow.ts';
import type { LogWish } from './log-place.ts';
import type { LogLine } from './needs.ts';

const line = (at: number, instance: string): LogLine => ({
  timestamp: new Date(at).toISOString(),
  instance,
  text: `${instance} at ${at}`,
});

/** A node that tells what it is given, until it is broken off. */
class Node implements FollowedNode {
  readonly key: string;
  readonly asked: (LogWish & { readonly atMs: number })[] = [];
  taken = 0;
  left = 0;
  #lines: LogLine[] = [];
  #broken = false;
  #bell = Promise.withResolvers<void>();

  constructor(key: string, ...times: readonly number[]) {
    this.key = key;
    this.say(...times);
  }

  say(...times: readonly number[]): void {
    this.#lines.push(...times.map((at) => line(at, this.key)));
    this.#ring();
  }

  breakOff(): void {
    this.#broken = true;
    this.#ring();
  }

  mend(): void {
    this.#broken = false;
  }

  readonly ask = (wish: LogWish, signal: AbortSignal): AsyncIterable<LogLine> => {
    this.asked.push({ ...wish, atMs: clock.monotonic() });
    return this.#tell(signal);
  };

  async *#tell(signal: AbortSignal): AsyncGenerator<LogLine> {
    signal.addEventListener('abort', this.#ring);
    try {
      for (;;) {
        if (this.#broken) throw new Error('broken off');
        if (signal.aborted) return;
        const next = this.#lines.shift();
        if (next === undefined) await this.#bell.promise;
        else {
          this.taken += 1;
          yield next;
        }
      }
    } finally {
      this.left += 1;
    }
  }

  readonly #ring = (): void => {
    this.#bell.resolve();
    this.#bell = Promise.withResolvers<void>();
  };
}

let clock: ManualClock;
let ended: AbortController;
let options: FollowOptions;

beforeEach(() => {
  clock = new ManualClock();
  ended = new AbortController();
  options = { tail: 0, since: 0, signal: ended.signal, clock };
});

/** In steps, so that what waits for one of them can go on. */
const pass = async (ms: number): Promise<void> => {
  await setImmediate();
  for (let left = ms; left > 0; left -= 100) {
    clock.advance(100);
    await setImmediate();
  }
};

/** The texts that were read up to now. */
const reading = (nodes: () => readonly FollowedNode[]): string[] => {
  const texts: string[] = [];
  void (async () => {
    for await (const { text } of followLogs(nodes, options)) texts.push(text);
    texts.push('the end');
  })();
  return texts;
};

describe('logs that are followed', () => {
  it('give first what is there, in order and cut, and then each line as it comes', async () => {
    const [a, b] = [new Node('a', 2, 4), new Node('b', 1, 3)];
    options = { ...options, tail: 3 };
    const texts = reading(() => [a, b]);
    await pass(500);
    expect(texts).toEqual(['a at 2', 'b at 3', 'a at 4']);
    a.say(0);
    await setImmediate();
    expect(texts).toEqual(['a at 2', 'b at 3', 'a at 4', 'a at 0']);
  });

  it('ask a node again that failed, after pauses that grow until it has a line', async () => {
    const [a, b] = [new Node('a', 100_000), new Node('b')];
    const texts = reading(() => [a, b]);
    await pass(1_000);
    a.breakOff();
    await pass(20_000);
    expect(a.asked.map(({ atMs }) => atMs)).toEqual([0, 1_500, 2_500, 4_500, 8_500, 13_500, 18_500]);
    expect(a.asked.map(({ since }) => since).slice(0, 2)).toEqual([0, 90_000]);
    expect(b.asked).toHaveLength(1);
    a.mend();
    a.say(100_000, 100_001);
    await pass(3_000);
    expect(texts).toEqual(['a at 100000', 'a at 100001']);
    a.breakOff();
    await pass(500);
    expect(a.asked.map(({ atMs }) => atMs).slice(-2)).toEqual([23_500, 24_500]);
  });

  it('want all that comes of a node that had nothing to tell when it was heard, however many lines were asked for', async () => {
    const [a, b] = [new Node('a'), new Node('b')];
    options = { ...options, tail: 3, since: 7 };
    reading(() => [a, b]);
    b.breakOff();
    await pass(10_000);
    a.breakOff();
    await pass(500);
    expect(a.asked.map(({ tail, since }) => [tail, since])).toEqual([
      [3, 7],
      [0, 7],
    ]);
    expect(b.asked.map(({ tail }) => tail)).toEqual(b.asked.map(() => 3));
  });

  it('hear a node that joins, let one go that leaves, and go on with it when it comes back', async () => {
    const [a, b] = [new Node('a', 100_000), new Node('b', 100_000)];
    let nodes = [a];
    const texts = reading(() => nodes);
    await pass(1_000);
    nodes = [a, b];
    await pass(2_000);
    expect(texts).toEqual(['a at 100000', 'b at 100000']);
    nodes = [b];
    await pass(60_000);
    expect([a.left, a.asked.length]).toEqual([1, 1]);
    nodes = [a, b];
    a.say(100_000, 100_002);
    await pass(2_000);
    expect(texts.slice(2)).toEqual(['a at 100002']);
    expect([a.asked.length, b.asked.length]).toEqual([2, 1]);
  });

  it('lose no line that was read of a node which then left', async () => {
    const a = new Node('a', 1, 2, 3);
    let nodes = [a];
    const lines = followLogs(() => nodes, options);
    const first = lines.next();
    await pass(500);
    await first;
    a.say(4, 5);
    await lines.next();
    await lines.next();
    expect((await lines.next()).value).toMatchObject({ text: 'a at 4' });
    const next = lines.next();
    await setImmediate();
    nodes = [];
    await pass(4_000);
    expect((await next).value).toMatchObject({ text: 'a at 5' });
    ended.abort();
  });

  it('read one line ahead of who reads slowly', async () => {
    const [a, b] = [new Node('a', 1), new Node('b', 1)];
    const lines = followLogs(() => [a, b], options);
    const first = lines.next();
    await pass(500);
    await first;
    a.say(...Array.from({ length: 50 }, (_, index) => index + 2));
    b.say(...Array.from({ length: 50 }, (_, index) => index + 2));
    await lines.next();
    await lines.next();
    await pass(10_000);
    expect(a.taken + b.taken).toBeLessThanOrEqual(5);
    ended.abort();
  });

  it('end at once, and everything that was asked with them', async () => {
    const [a, b] = [new Node('a', 1), new Node('b')];
    b.breakOff();
    const texts = reading(() => [a, b]);
    await pass(1_200);
    ended.abort();
    await setImmediate();
    expect(texts).toEqual(['a at 1', 'the end']);
    const asked = b.asked.length;
    await pass(10_000);
    expect([a.left, a.asked.length, b.asked.length]).toEqual([1, 1, asked]);
  });

  it('end what was asked also when nobody reads on', async () => {
    const a = new Node('a', 1, 2);
    const lines = followLogs(() => [a], options);
    const first = lines.next();
    await pass(500);
    await first;
    ended.abort();
    await setImmediate();
    expect(a.left).toBe(1);
  });

  it('hold nothing of the lines that were read, however long a node says nothing', async () => {
    const busy = async function* (): AsyncGenerator<LogLine> {
      for (;;) {
        // Lines of a peer never are there at once.
        await Promise.resolve();
        yield line(1, 'a');
      }
    };
    const nodes = [{ key: 'busy', ask: busy }, new Node('silent')];
    const followed = followLogs(() => nodes, options);
    const read = async (count: number): Promise<number> => {
      for (let left = count; left > 0; left--) await followed.next();
      return heapBytes();
    };
    const before = await read(30_000);
    const after = await read(100_000);
    expect(after - before).toBeLessThan(100 * 100_000);
    await followed.return();
  });
});

/** After all garbage is gone. */
const heapBytes = (): number => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
};
