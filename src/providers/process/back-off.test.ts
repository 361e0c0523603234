import { expect, it } from 'vitest';
import { ManualClock } from '../../std/clock.ts';
import { BackOff, healthyAfterMs } from './back-off.ts';

const pauses = (clock: ManualClock, backOff: BackOff, count: number): readonly number[] =>
  Array.from({ length: count }, () => {
    backOff.failed(0, () => {});
    const { leftMs } = backOff;
    clock.advance(leftMs);
    return leftMs;
  });

it('doubles its pauses from 0.1 s to 30 s', () => {
  const clock = new ManualClock();
  expect(pauses(clock, new BackOff(clock), 11)).toEqual([
    100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000,
  ]);
});

it('begins anew after something ran well for a minute', () => {
  const clock = new ManualClock();
  const backOff = new BackOff(clock);
  pauses(clock, backOff, 5);
  backOff.failed(healthyAfterMs, () => {});
  expect(backOff.leftMs).toBe(100);
});

it('calls back once for failures that come together, and never after it was stopped', () => {
  const clock = new ManualClock();
  const backOff = new BackOff(clock);
  let calls = 0;
  backOff.failed(0, () => calls++);
  backOff.failed(0, () => calls++);
  expect(backOff.waiting).toBe(true);
  clock.advance(60_000);
  expect(calls).toBe(1);
  expect(backOff.waiting).toBe(false);
  backOff.failed(0, () => calls++);
  backOff.stop();
  clock.advance(60_000);
  expect(calls).toBe(1);
});
