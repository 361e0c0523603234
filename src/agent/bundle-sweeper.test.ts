import { describe, expect, test } from 'vitest';
import { parseDigest, type Digest } from '../domain/ids.ts';
import { BundleSweeper } from './bundle-sweeper.ts';

const digest = (character: string): Digest => parseDigest(`sha256:${character.repeat(64)}`) as Digest;
const hour = 60 * 60_000;

const open = (...digests: readonly Digest[]) => {
  const stored = new Set(digests);
  const sweeper = new BundleSweeper({
    list: async () => [...stored].map((one) => ({ digest: one, bytes: 1 })),
    remove: async (one) => void stored.delete(one),
  });
  return { stored, sweeper };
};

describe('sweeping bundles', () => {
  test('removes what nothing has named for an hour, and nothing else', async () => {
    const { stored, sweeper } = open(digest('a'), digest('b'));
    const named = new Set([digest('a')]);
    expect(await sweeper.sweep(named, 0)).toEqual([]);
    expect(await sweeper.sweep(named, hour - 1)).toEqual([]);
    expect(await sweeper.sweep(named, hour)).toEqual([digest('b')]);
    expect([...stored]).toEqual([digest('a')]);
  });

  test('begins to count anew when a bundle was named in between', async () => {
    const { stored, sweeper } = open(digest('a'));
    await sweeper.sweep(new Set(), 0);
    await sweeper.sweep(new Set([digest('a')]), hour / 2);
    await sweeper.sweep(new Set(), hour);
    expect(stored.size).toBe(1);
  });
});
