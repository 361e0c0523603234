import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextMark, tooSlow, type Intake } from './intake.ts';

const least = { bytes: 1_000, withinMs: 60_000 };

/** When a client is found too slow that takes `taken` more bytes each second; undefined when it never is within an hour. */
const endsAt = (takes: (second: number) => number, waits: (second: number) => boolean = () => true) => {
  let mark: Intake | undefined;
  let taken = 0;
  for (let second = 0; second <= 3_600; second += 1) {
    const now = { atMs: 1_000 * second, taken };
    mark = nextMark(mark, now, waits(second), least);
    if (mark !== undefined && tooSlow(mark, now, least)) return second;
    taken += takes(second);
  }
  return undefined;
};

describe('a client', () => {
  it('that takes nothing is too slow when the time is over', () => {
    expect(endsAt(() => 0)).toBe(60);
  });

  it('that takes a few bytes now and then is too slow as well', () => {
    expect(endsAt((second) => (second % 30 === 0 ? 10 : 0))).toBe(60);
  });

  it('that took much and then drips is too slow from then on', () => {
    expect(endsAt((second) => (second < 100 ? 1_000_000 : 1))).toBe(160);
  });

  it('that is slow and steady lives', () => {
    expect(endsAt(() => 20)).toBeUndefined();
  });

  it('that takes all in one piece now and then lives', () => {
    expect(endsAt((second) => (second % 50 === 0 ? 1_000 : 0))).toBeUndefined();
  });

  it('for which nothing waits lives, and is measured from when something does', () => {
    expect(
      endsAt(
        () => 0,
        () => false,
      ),
    ).toBeUndefined();
    expect(
      endsAt(
        () => 0,
        (second) => second % 50 !== 0,
      ),
    ).toBeUndefined();
    expect(
      endsAt(
        () => 0,
        (second) => second >= 1_000,
      ),
    ).toBe(1_060);
  });

  it('that takes enough each time is never too slow, however it takes it', () => {
    const bursts = fc.array(
      fc.record({ afterMs: fc.nat({ max: 59_999 }), bytes: fc.integer({ min: 1_000, max: 9_999 }) }),
    );
    fc.assert(
      fc.property(bursts, (bursts) => {
        let now: Intake = { atMs: 0, taken: 0 };
        let mark = nextMark(undefined, now, true, least);
        for (const { afterMs, bytes } of bursts) {
          now = { atMs: now.atMs + afterMs, taken: now.taken + bytes };
          mark = nextMark(mark, now, true, least);
          expect(mark !== undefined && tooSlow(mark, now, least)).toBe(false);
        }
      }),
    );
  });
});
