import { writeSync } from 'node:fs';
import { nodeId } from '../domain/ids.ts';
import { openDatabase } from '../std/sqlite.ts';
import { catalogueMigrations, SqliteCatalogueStore } from './sqlite-store.ts';

/** Appends for ever, many at once, and names each record on stdout once it is durable, until somebody kills it. */
const [, , file = '', round = '0'] = process.argv;
const store = new SqliteCatalogueStore(await openDatabase(file, catalogueMigrations));
const { counter } = await store.load();

let next = counter;
const worker = async (lane: number): Promise<void> => {
  for (;;) {
    const version = { counter: ++next, node: nodeId('crash') };
    const key = `lane-${lane}/${round}-${version.counter % 50}`;
    await store.append([{ key, version, value: { text: 'x'.repeat(version.counter % 3_000) }, at: 1 }]);
    writeSync(1, `${key} ${version.counter}\n`);
  }
};
await Promise.all([0, 1, 2, 3].map(worker));
