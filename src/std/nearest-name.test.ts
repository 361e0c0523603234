import { expect, test } from 'vitest';
import { nearestName } from './nearest-name.ts';

const known = ['gateway', 'federation', 'queue', 'log'];

test.each([
  ['gatway', 'gateway'],
  ['gatewya', 'gateway'],
  ['Gateway', 'gateway'],
  ['fedration', 'federation'],
  ['queues', 'queue'],
  ['lgo', 'log'],
])('%s was meant to be %s', (typed, meant) => {
  expect(nearestName(typed, known)).toBe(meant);
});

test('says nothing when no name is near', () => {
  expect(nearestName('kubernetes', known)).toBeUndefined();
  expect(nearestName('x', known)).toBeUndefined();
});
