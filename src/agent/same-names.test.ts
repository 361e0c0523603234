import { expect, test } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import { member as peer } from './member.testing.ts';
import { sameNames, tellSameName } from './same-names.ts';

const member = (id: string, name: string, state: Member['state'] = 'alive'): Member =>
  peer(id, { state, announced: { name } });
const self = { id: nodeId('me'), name: 'node-1' };

test('names that are all different are no problem, nor is the name of one that is gone', () => {
  expect(sameNames(self, [member('a', 'node-2'), member('b', 'node-1', 'gone')])).toEqual([]);
});

test('a name that two nodes have is found, this node’s own too', () => {
  const found = sameNames(self, [member('b', 'node-1'), member('c', 'node-2'), member('a', 'node-2')]);
  expect(found).toEqual([
    { name: 'node-1', ids: ['b', 'me'] },
    { name: 'node-2', ids: ['a', 'c'] },
  ]);
  expect(tellSameName(found[1]!)).toBe('2 nodes are called node-2 (a, c): give each a name of its own (node.name)');
});
