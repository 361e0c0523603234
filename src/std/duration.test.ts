import { expect, test } from 'vitest';
import { formatMs, parseDuration } from './duration.ts';

test.each([
  ['500ms', 500],
  ['20s', 20_000],
  ['1m', 60_000],
  ['1.5s', 1500],
  ['1h30m', 5_400_000],
  ['0s', 0],
])('%s is %d milliseconds', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '20', 's', '20 s', '-1s', '1e3s', '20s!', 'Infinitys', '1.s'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test('speaks in the unit a person would choose', () => {
  expect([0.354, 12.34, 250.4, 999, 1250, 61_000].map(formatMs)).toEqual([
    '0.35 ms',
    '12.3 ms',
    '250 ms',
    '999 ms',
    '1.25 s',
    '61 s',
  ]);
});
