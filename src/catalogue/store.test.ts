import { describe } from 'vitest';
import { catalogueStoreConformance } from './store.conformance.ts';
import { MemoryCatalogueStore } from './store.ts';

describe('MemoryCatalogueStore', () => {
  let store = new MemoryCatalogueStore();
  catalogueStoreConformance(
    () => {
      store = new MemoryCatalogueStore();
    },
    async () => store,
  );
});
