import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concurrencyOf, nextLane, type LaneView } from './next-lane.ts';

const view = (lane: string, change: Partial<LaneView> = {}): LaneView => ({
  lane,
  running: 0,
  limit: 2,
  pausedUntilMs: 0,
  turn: 0,
  ...change,
});

describe('nextLane', () => {
  it('passes over lanes that are full or paused', () => {
    expect(nextLane([], 0)).toEqual({ lane: undefined, inMs: undefined });
    const full = view('full', { running: 2, pausedUntilMs: 10.5 });
    expect(nextLane([full], 10)).toEqual({ lane: undefined, inMs: undefined });
    expect(nextLane([full, view('paused', { pausedUntilMs: 10 })], 10)).toEqual({ lane: 'paused' });
    const paused = [view('longer', { pausedUntilMs: 12 }), view('paused', { pausedUntilMs: 11 })];
    expect(nextLane([full, ...paused], 10)).toEqual({ lane: undefined, inMs: 1 });
  });

  it('names a lane or the time to wait, whatever the time is', () => {
    const lane = fc.record({ running: fc.nat(2), pausedUntilMs: fc.double({ min: 0, max: 20, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(lane), fc.double({ min: 0, max: 20, noNaN: true }), (changes, nowMs) => {
        const views = changes.map((change, n) => view(`f${n}`, change));
        const next = nextLane(views, nowMs);
        if (next.lane !== undefined || next.inMs === undefined) {
          expect(next.lane !== undefined).toBe(views.some((one) => one.running < 2));
        } else {
          expect(next.inMs).toBeGreaterThan(0);
          expect(nextLane(views, nowMs + next.inMs * 1.000001)).toHaveProperty('lane', expect.any(String));
        }
      }),
    );
  });

  it('gives every lane its turn: between two of one, each other that may has one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), (count) => {
        const turns = new Map(Array.from({ length: count }, (_, n) => [`f${n}`, 0]));
        const order: string[] = [];
        for (let turn = 1; turn <= count * 3; turn++) {
          const { lane = '' } = nextLane(
            [...turns].map(([name, last]) => view(name, { turn: last })),
            0,
          );
          turns.set(lane, turn);
          order.push(lane);
        }
        for (let at = 0; at + count <= order.length; at++)
          expect(new Set(order.slice(at, at + count)).size).toBe(count);
      }),
    );
  });
});

describe('concurrencyOf', () => {
  it('reads the label where it makes sense', () => {
    expect(concurrencyOf({ 'skein.async.concurrency': '7' }, 4)).toBe(7);
    for (const odd of ['0', '-1', '1.5', 'many', '', '99999']) {
      expect(concurrencyOf({ 'skein.async.concurrency': odd }, 4)).toBe(4);
    }
    expect(concurrencyOf(undefined, 4)).toBe(4);
  });
});
