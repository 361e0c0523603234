import { defaultLimits, type Queue, type QueueItem, type QueueLimits } from '../queue.ts';
import type { ItemStorage } from '../item-storage.ts';
import { StoredQueue, type StoredQueueNeeds } from '../stored-queue.ts';

/** A queue that ends with its process: for tests, and for those who would rather lose calls than write them. */
export const openMemoryQueue = (needs: StoredQueueNeeds, limits: Partial<QueueLimits> = {}): Promise<Queue> =>
  StoredQueue.open(memoryStorage(), { ...defaultLimits, ...limits }, needs);

const memoryStorage = (): ItemStorage => {
  const items = new Map<number, QueueItem>();
  const insert: ItemStorage['insert'] = async (added) => {
    for (const { id, item } of added) items.set(id, { ...item, body: item.body.slice() });
  };
  const remove: ItemStorage['remove'] = async (ids, added) => {
    for (const id of ids) items.delete(id);
    if (added !== undefined) await insert([added]);
  };
  return {
    load: async () => ({ items: [], dead: [], lastId: 0 }),
    insert,
    attempt: async (id) => {
      const { meta, body } = items.get(id) as QueueItem;
      return { meta, body };
    },
    delay: async () => undefined,
    remove,
    bury: async (_, dropped, added) => remove(dropped, added),
    replay: async () => undefined,
    close: async () => items.clear(),
  };
};
