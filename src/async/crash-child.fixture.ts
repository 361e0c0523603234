import { writeSync } from 'node:fs';
import { functionKey } from '../domain/ids.ts';
import { openSqliteQueue, queueMigrations } from '../queues/embedded/sqlite-queue.ts';
import { systemClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { openDatabase } from '../std/sqlite.ts';
import { silentLog } from '../telemetry/log.ts';
import { asyncInvoker } from './async-invoker.ts';
import { gatewayInvoker } from './gateway-invoker.ts';
import { defaultRetryRules } from './retry.ts';

/** A node's asynchronous half: takes calls for ever, names each on stdout once it may be answered with 202, and makes them, until somebody kills it. */
const [, , file = '', url = '', round = '0'] = process.argv;
const database = await openDatabase(file, queueMigrations);
const queue = await openSqliteQueue(database, { clock: systemClock, log: silentLog });
const needs = {
  queue,
  labels: () => ({}),
  invoke: gatewayInvoker(url).invoke,
  clock: systemClock,
  random: seeded(Number(round)),
  log: silentLog,
};
const invoker = asyncInvoker(needs, { retries: { ...defaultRetryRules, firstPauseMs: 20, longestPauseMs: 200 } });
invoker.start();

let next = 0;
const lane = async (): Promise<void> => {
  for (;;) {
    const callId = `${round}-${next++}`;
    const body = (async function* body() {
      yield Buffer.from(`${callId} ${'x'.repeat(next % 5_000)}`);
    })();
    await invoker.enqueue({ function: functionKey(`f${next % 3}`), path: '/', headers: ['X-Call-Id', callId], body });
    writeSync(1, `${callId}\n`);
  }
};
await Promise.all([0, 1, 2, 3].map(lane));
