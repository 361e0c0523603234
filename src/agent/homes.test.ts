import { expect, test } from 'vitest';
import { parseDigest, type Digest } from '../domain/ids.ts';
import { homesToCome } from './homes.ts';
import { member } from './member.testing.ts';

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
    member('b', { announced: { labels: { disk: 'ssd' }, location: 'oslo' } }),
    member('c', { announced: { roles: ['gpu'] } }),
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
    member('gone', { state: 'gone' }),
    member('leaving', { announced: { draining: true } }),
    unknown,
    member('told'),
    member('a'),
  ];
  expect(homesToCome(value(), members, (id) => id === 'told')).toEqual(['a']);
});
