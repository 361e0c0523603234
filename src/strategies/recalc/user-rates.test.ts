import { expect, it } from 'vitest';
import { functionKey, nodeId } from '../../domain/ids.ts';
import type { View } from '../strategy.ts';
import { functionView } from './virtual-federation.ts';
import { firstRates, takeSample } from './user-rates.ts';

const burn = functionKey('burn');
const at = (userRate: number): View => ({
  self: nodeId('node-1'),
  slots: 4,
  inFlight: 0,
  functions: { [burn]: functionView({ userRate }) },
  peers: [],
});

it('starts at the first sample and reaches a steady rate exactly', () => {
  let rates = firstRates(at(10));
  expect(rates[burn]).toBe(10);
  for (let second = 0; second < 20; second += 1) rates = takeSample(rates, at(40), 1000, 60_000);
  expect(rates[burn]).toBe(40);
});

it('lets one sample of a second count less than half in a long period, and nearly all in a period of a second', () => {
  const rates = firstRates(at(0));
  expect(takeSample(rates, at(100), 1000, 60_000)[burn]).toBeLessThan(50);
  expect(takeSample(rates, at(100), 1000, 1000)[burn]).toBeGreaterThan(95);
});

it('takes no sample over no time, or when the clock was set back', () => {
  const rates = firstRates(at(5));
  expect(takeSample(rates, at(100), 0, 60_000)).toEqual(rates);
  expect(takeSample(rates, at(100), -5000, 60_000)).toEqual(rates);
});

it('forgets functions that went', () => {
  expect(takeSample(firstRates(at(5)), { ...at(0), functions: {} }, 1000, 60_000)).toEqual({});
});
