import { beforeEach, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import type { CatalogueRecord } from './record.ts';
import type { CatalogueStore } from './store.ts';

/** What every `CatalogueStore` keeps. `wipe` begins anew; `reopen` gives a store over what the ones before it stored. */
export const catalogueStoreConformance = (wipe: () => void, reopen: () => Promise<CatalogueStore>): void => {
  beforeEach(wipe);

  const made = (key: string, counter: number, value: unknown): CatalogueRecord => ({
    key,
    version: { counter, node: nodeId('n1') },
    value,
    at: 1_700_000_000_000.5,
  });

  it('begins empty', async () => {
    expect(await (await reopen()).load()).toEqual({ records: [], counter: 0, points: new Map() });
  });

  it('gives back what was appended, the newest of each key, tombstones too', async () => {
    const store = await reopen();
    const [old, newer, deleted] = [made('a', 1, { x: ['ü', null] }), made('a', 2, { y: 1 }), made('b', 2 ** 40, null)];
    await Promise.all([store.append([old]), store.append([newer, deleted])]);
    await store.close();
    const { records, counter } = await (await reopen()).load();
    expect([...records].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([newer, deleted]);
    expect(counter).toBe(2 ** 40);
  });

  it('forgets keys, but no counter', async () => {
    const store = await reopen();
    await store.append([made('a', 9, null), made('b', 3, 1)]);
    await store.append([made('c', 4, 1)], ['a']);
    await store.close();
    const { records, counter } = await (await reopen()).load();
    expect(records.map(({ key }) => key).sort()).toEqual(['b', 'c']);
    expect(counter).toBe(9);
  });

  it('replaces the sync points', async () => {
    const store = await reopen();
    await store.savePoints(new Map([[nodeId('x'), { at: 1, counter: 1 }]]));
    const points = new Map([[nodeId('y'), { at: 2.5, counter: 2 }]]);
    await store.savePoints(points);
    await store.close();
    expect((await (await reopen()).load()).points).toEqual(points);
  });

  it('takes empty appends', async () => {
    const store = await reopen();
    await store.append([]);
    await store.append([], []);
    await store.close();
  });
};
