import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../std/clock.ts';
import { openDatabase, type Database } from '../../std/sqlite.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { Queue, QueueLimits } from '../queue.ts';
import { item, queueConformance } from '../queue.conformance.ts';
import { openSqliteQueue, queueMigrations } from './sqlite-queue.ts';

let folder: string;
let database: Database | undefined;
const clock = new ManualClock();

const diskIsFull = `CREATE TRIGGER full BEFORE UPDATE ON queue BEGIN SELECT RAISE(ABORT, 'disk is full'); END`;

const reopen = async (limits: Partial<QueueLimits> = {}): Promise<Queue> => {
  await database?.close();
  database = await openDatabase(join(folder, 'node.db'), queueMigrations);
  return openSqliteQueue(database, { clock, log: silentLog }, limits);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-queue-'));
});

afterEach(async () => {
  await database?.close();
  database = undefined;
  rmSync(folder, { recursive: true, force: true });
});

describe('the queue in SQLite', () => {
  queueConformance({ begin: reopen, pass: async (ms) => clock.advance(ms) });

  it('knows after a restart what waits, what was taken, what is delayed and what is dead', async () => {
    let queue = await reopen();
    for (const id of ['waits', 'taken', 'delayed', 'dead', 'done']) await queue.add(item(`${id}.fn`, id));
    await queue.take('taken.fn');
    await (await queue.take('delayed.fn'))?.retryLater(5_000);
    await (await queue.take('dead.fn'))?.bury('it was hopeless');
    await (await queue.take('done.fn'))?.done();

    queue = await reopen();
    expect([...(await queue.ready()).lanes]).toEqual(['waits.fn', 'taken.fn']);
    expect((await queue.take('waits.fn'))?.attempt).toBe(1);
    expect(await queue.take('taken.fn')).toMatchObject({ attempt: 2, item: { callId: 'taken' } });
    expect(await queue.take('delayed.fn')).toBeUndefined();
    clock.advance(5_000);
    expect(await queue.take('delayed.fn')).toMatchObject({ attempt: 2 });
    const [letter] = await queue.dead.list(10);
    expect(letter).toMatchObject({ callId: 'dead', why: 'it was hopeless', attempts: 1 });
    await queue.dead.replay(letter?.id ?? '');

    queue = await reopen();
    expect(await queue.dead.list(10)).toEqual([]);
    expect(await queue.take('dead.fn')).toMatchObject({ attempt: 1, item: { callId: 'dead' } });
  });

  it('gives the next one where that of which the lease ran out was done after all', async () => {
    const queue = await reopen();
    for (const id of ['one', 'two']) await queue.add(item('a.fn', id));
    const first = await queue.take('a.fn');
    await queue.take('a.fn');
    const done = first?.done();
    clock.advance(queue.limits.leaseMs);
    expect(await queue.take('a.fn')).toMatchObject({ attempt: 2, item: { callId: 'two' } });
    await done;
  });

  it('gives no id twice, though what had it is gone', async () => {
    const bury = async (queue: Queue): Promise<string | undefined> => {
      await queue.add(item('a.fn', 'one'));
      await (await queue.take('a.fn'))?.bury('why');
      return (await queue.dead.list(1))[0]?.id;
    };
    let queue = await reopen();
    const first = await bury(queue);
    await queue.dead.drop(first ?? '');
    queue = await reopen();
    expect(await bury(queue)).not.toBe(first);
  });

  it('counts what it kept over a restart against its bounds', async () => {
    let queue = await reopen();
    for (const id of ['one', 'two']) await queue.add(item('a.fn', id));
    queue = await reopen({ items: 2 });
    await expect(queue.add(item('a.fn', 'three'))).rejects.toMatchObject({ code: 'full' });
  });

  it('counts no attempt that it could not keep', async () => {
    const queue = await reopen();
    await queue.add(item('a.fn', 'one'));
    await database?.run(diskIsFull);
    for (let n = 0; n < 3; n++) await expect(queue.take('a.fn')).rejects.toMatchObject({ code: 'unavailable' });
    await database?.run('DROP TRIGGER full');
    expect(await queue.take('a.fn')).toMatchObject({ attempt: 1 });
  });

  it('leaves nothing behind of what was done', async () => {
    const queue = await reopen();
    for (const id of ['one', 'two', 'three']) await queue.add(item('a.fn', id));
    await (await queue.take('a.fn'))?.done();
    await queue.cancel('two');
    await (await queue.take('a.fn'))?.bury('why');
    await queue.dead.drop((await queue.dead.list(1))[0]?.id ?? '');
    expect(await database?.all('SELECT id FROM queue UNION SELECT id FROM queue_content')).toEqual([]);
  });

  it('says in its own words that it cannot store, and forgets what it refused', async () => {
    const queue = await reopen({ items: 1 });
    await database?.close();
    for (let n = 0; n < 2; n++) {
      await expect(queue.add(item('a.fn', 'one'))).rejects.toThrow(/could not be stored/);
    }
    expect(await queue.stats()).toEqual([]);
  });
});
