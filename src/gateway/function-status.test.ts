import { expect, it } from 'vitest';
import { atNode } from './function-status.ts';

const there = { name: 'f', namespace: 'n', placed: true, replicas: 2, availableReplicas: 2, invocationCount: 5 };

it.each([
  ['ready', { ...there, wish: 'w', ready: true }],
  ['starting', { ...there, wish: 'w', ready: false }],
  ['behind', { ...there, wish: 'an older one', ready: true }],
  ['behind', undefined],
  ['elsewhere', { ...there, placed: false, wish: 'w', ready: false }],
])('a function is %s at a node that says %j', (state, said) => {
  const counts = said === undefined ? [0, 0] : [2, 5];
  expect(atNode({ node: 'node-1', answered: true, there: said }, 'w')).toMatchObject({
    node: 'node-1',
    state,
    availableReplicas: counts[0],
    invocationCount: counts[1],
  });
});

it('is unreachable at a node that did not answer', () => {
  expect(atNode({ node: 'node-1', answered: false, there: undefined }, 'w').state).toBe('unreachable');
});
