import { describe, expect, test } from 'vitest';
import { emptyWindow, meanOf, observed, type LoadWindow } from './load-window.ts';

const keepMs = 60_000;

const after = (steps: readonly (readonly [at: number, value: number])[]): LoadWindow =>
  steps.reduce((window, [at, value]) => observed(window, at, value, keepMs), emptyWindow(0));

describe('the mean of a load', () => {
  test('is over as much of the window as is known', () => {
    expect(
      meanOf(
        after([
          [0, 8],
          [3_000, 8],
        ]),
        6_000,
      ),
    ).toBeCloseTo(8);
    expect(
      meanOf(
        after([
          [0, 0],
          [3_000, 8],
          [6_000, 8],
        ]),
        6_000,
      ),
    ).toBeCloseTo(4);
    expect(
      meanOf(
        after([
          [0, 8],
          [100, 0],
        ]),
        6_000,
      ),
    ).toBeCloseTo(0.8);
  });

  test('weighs each value by the time for which it held, however often it was looked at', () => {
    const often = after(Array.from({ length: 101 }, (_, index) => [index * 10, index === 0 ? 10 : 10] as const));
    expect(meanOf(observed(often, 2_000, 0, keepMs), 2_000)).toBeCloseTo(10);
    expect(meanOf(observed(observed(often, 1_000, 0, keepMs), 10_000, 0, keepMs), 10_000)).toBeCloseTo(1);
  });

  test('forgets what is older, in part where the window cuts', () => {
    const window = after([
      [0, 6],
      [1_000, 0],
      [6_500, 0],
    ]);
    expect(meanOf(window, 6_000)).toBeCloseTo((6 * 0.5) / 6);
    expect(meanOf(observed(window, 8_000, 0, keepMs), 6_000)).toBe(0);
  });

  test('keeps no more than a part for each second', () => {
    const window = after(Array.from({ length: 4_000 }, (_, index) => [index * 50, index % 7] as const));
    expect(window.parts.length).toBeLessThanOrEqual(62);
    expect(meanOf(window, keepMs)).toBeCloseTo(3, 0);
  });
});
