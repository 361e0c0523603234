import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byTime, timeOf } from './log-order.ts';
import { LogPlace, type LogWish } from './log-place.ts';
import type { LogLine } from './needs.ts';

const line = (at: number, instance: string, text = ''): LogLine => ({
  timestamp: new Date(at).toISOString(),
  instance,
  text,
});

/** A node's log as it is read: what is there by its time, then at each look what is new of one replica after the other. */
class NodeLog {
  readonly written: LogLine[] = [];
  #told = new Set<LogLine>();
  #ready: LogLine[] = [];

  ask({ tail, since }: LogWish): void {
    const past = this.written.filter((one) => timeOf(one) >= since).toSorted(byTime);
    this.#told = new Set(this.written);
    this.#ready = past.slice(-tail);
  }

  next(): LogLine | undefined {
    if (this.#ready.length === 0) {
      this.#ready = this.written
        .filter((one) => !this.#told.has(one))
        .toSorted((a, b) => (a.instance < b.instance ? -1 : 1));
      for (const one of this.#ready) this.#told.add(one);
    }
    return this.#ready.shift();
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ say: fc.constantFrom('r1', 'r2', 'r3'), afterMs: fc.constantFrom(0, 0, 1, 700) }),
  },
  { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.constant('break' as const) },
);

/** What is told of a log that is written, read and broken off so, and at last read to its end. */
const told = (steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[], tail: number) => {
  const node = new NodeLog();
  const place = new LogPlace({ tail, since: 0 });
  const heard: LogLine[] = [];
  const read = (most: number): void => {
    for (let count = 0; count < most; count++) {
      const next = node.next();
      if (next === undefined) return;
      if (place.takes(next)) heard.push(next);
    }
  };
  let now = 1_000_000;
  node.ask(place.begin());
  for (const one of steps) {
    if (one === 'break') node.ask(place.begin());
    else if ('read' in one) read(one.read);
    else node.written.push(line((now += one.afterMs), one.say, String(node.written.length)));
  }
  node.ask(place.begin());
  read(Infinity);
  return { heard, written: node.written };
};

describe('a log that is asked for again and again', () => {
  it('is told whole, and each line once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { heard, written } = told(steps, 0);
        expect(heard.toSorted((a, b) => Number(a.text) - Number(b.text))).toEqual(written);
      }),
      { numRuns: 500 },
    );
  });

  it('with a tail is told whole from its first line, and each line once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, tail) => {
        const { heard, written } = told(steps, tail);
        expect(new Set(heard).size).toBe(heard.length);
        const first = heard[0] === undefined ? Infinity : timeOf(heard[0]);
        const later = written.filter((one) => timeOf(one) > first);
        expect(later.filter((one) => !heard.includes(one))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('with a tail that broke off before it was whole repeats nothing of the time of its first line', () => {
    const place = new LogPlace({ tail: 2, since: 0 });
    const [leftOut, second, third] = [line(1_000, 'r1'), line(1_000, 'r1'), line(1_001, 'r1')];
    place.begin();
    expect(place.takes(second)).toBe(true);
    place.begin();
    expect([leftOut, second, third].map((one) => place.takes(one))).toEqual([false, false, true]);
  });

  it('is asked for as at first until it was heard, and then whole from a little before what was told', () => {
    const place = new LogPlace({ tail: 3, since: 7 });
    expect(place.begin()).toEqual({ tail: 3, since: 7 });
    expect(place.begin()).toEqual({ tail: 3, since: 7 });
    place.heard();
    expect(place.begin()).toEqual({ tail: 0, since: 7 });
    place.takes(line(60_000, 'r1'));
    place.takes(line(70_000, 'r2'));
    expect(place.begin()).toEqual({ tail: 0, since: 50_000 });
  });

  it('tells what comes after the clock of its node was set back', () => {
    const place = new LogPlace({ tail: 0, since: 0 });
    expect(place.takes(line(90_000, 'r1', 'before'))).toBe(true);
    place.begin();
    expect(place.takes(line(90_000, 'r1', 'before'))).toBe(false);
    expect(place.takes(line(30_000, 'r1', 'after'))).toBe(true);
    expect(place.takes(line(30_001, 'r2', 'after'))).toBe(true);
  });

  it('remembers a bounded number of replicas, and repeats none that it forgot', () => {
    const place = new LogPlace({ tail: 0, since: 0 });
    const lines = Array.from({ length: 1_000 }, (_, index) => line(1_000_000 + index, `r${index}`));
    for (const one of lines) place.takes(one);
    const { since } = place.begin();
    expect(since).toBe(1_000_899);
    expect(lines.filter((one) => timeOf(one) >= since && place.takes(one))).toEqual([]);
    expect(place.takes(line(1_002_000, 'r3'))).toBe(true);
  });
});
