import { expect, test } from 'vitest';
import { didYouMean, nearestName, nearestNames } from './nearest-name.ts';

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

test('names up to three, the likeliest first, as one question', () => {
  const several = ['api-x', 'api-c', 'web', 'apis-b', 'api-b', 'api-a'];
  expect(nearestNames('api-b', several)).toEqual(['api-b', 'api-x', 'api-c']);
  expect(didYouMean(['a'])).toBe('did you mean a?');
  expect(didYouMean(['a', 'b', 'c'])).toBe('did you mean a, b or c?');
});

test('says nothing when no name is near', () => {
  expect(nearestName('kubernetes', known)).toBeUndefined();
  expect(nearestName('x', known)).toBeUndefined();
});
