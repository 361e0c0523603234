import { expect, test } from 'vitest';
import { nodeId, parseDigest, type Digest } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import { homesToCome } from './homes.ts';

const member = (
  name: string,
  changes: Partial<Member['announcement']> = {},
  state: Member['state'] = 'alive',
): Member => ({
  id: nodeId(name),
  publicKey: '',
  state,
  lastSeen: 0,
  announcement: {
    name,
    version: '1',
    labels: {},
    roles: [],
    slots: 4,
    peer: { host: '127.0.0.1', port: 1 },
    gateway: '',
    addresses: [],
    draining: false,
    ...changes,
  },
});

const value = (...constraints: readonly string[]) => ({
  value: {
    deployment: { service: 'echo', image: 'echo', constraints: [...constraints] },
    digest: parseDigest(`sha256:${'0'.repeat(64)}`) as Digest,
    createdAt: '',
  },
});

const nobody = (): boolean => false;

test('are the peers that the constraints allow', () => {
  const members = [
    member('a'),
    member('b', { labels: { disk: 'ssd' }, location: 'oslo' }),
    member('c', { roles: ['gpu'] }),
  ];
  expect(homesToCome(value(), members, nobody)).toEqual(['a', 'b', 'c']);
  expect(homesToCome(value('skein.node==a'), members, nobody)).toEqual(['a']);
  expect(homesToCome(value('label.disk==ssd', 'location==oslo'), members, nobody)).toEqual(['b']);
  expect(homesToCome(value('skein.role!=gpu'), members, nobody)).toEqual(['a', 'b']);
  expect(homesToCome(value('skein.node==nowhere'), members, nobody)).toEqual([]);
  expect(homesToCome(value('no constraint'), members, nobody)).toEqual([]);
});

test('are not those that are gone, leave, or have said where the function stands with them', () => {
  const { announcement: _, ...unknown } = member('unknown');
  const members = [
    member('gone', {}, 'gone'),
    member('leaving', { draining: true }),
    unknown,
    member('told'),
    member('a'),
  ];
  expect(homesToCome(value(), members, (id) => id === 'told')).toEqual(['a']);
});
