import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../std/clock.ts';
import type { Queue, QueueLimits } from '../queue.ts';
import { item, queueConformance } from '../queue.conformance.ts';
import { natsMissing, NatsServer } from './nats-server.testing.ts';
import { openNatsQueue } from './nats-queue.ts';

describe.skipIf(natsMissing)('the queue in NATS JetStream', () => {
  const server = new NatsServer();
  let queues = 0;

  const open = (name: string, limits: Partial<QueueLimits> = {}): Promise<Queue> =>
    openNatsQueue({ servers: [server.address], name }, { clock: systemClock }, { bytes: 50_000_000, ...limits });

  beforeAll(() => server.start());
  afterAll(() => server.remove());

  queueConformance(
    // The server's own time: it cannot be advanced.
    { begin: (limits) => open(`q${queues++}`, limits), pass: (ms) => wait(ms) },
    { cancelBetweenAttempts: 'the server does not tell whether somebody has it just now' },
  );

  it('lets another node go on with what a node that is gone had taken', async () => {
    const [gone, other] = [await open('two', { leaseMs: 500 }), await open('two', { leaseMs: 500 })];
    const woken = Promise.withResolvers<void>();
    other.onReady(woken.resolve);
    await gone.add(item('a.fn', 'one'));
    await woken.promise;
    await gone.take('a.fn');
    await gone.close();
    let taken = await other.take('a.fn');
    for (let step = 0; step < 200 && taken === undefined; step++) {
      expect((await other.ready()).lanes).toEqual(['a.fn']);
      await wait(50);
      taken = await other.take('a.fn');
    }
    expect(taken).toMatchObject({ attempt: 2, item: { callId: 'one' } });
    await taken?.done();
    await other.close();
  });

  it('loses nothing acknowledged when the server is killed', async () => {
    const queue = await open('killed');
    const acknowledged: string[] = [];
    const adding = Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        await queue.add(item('a.fn', `c${n}`)).then(
          () => acknowledged.push(`c${n}`),
          () => undefined,
        );
        if (n === 100) await server.kill();
      }),
    );
    await adding;
    await queue.close();
    await server.start();
    const again = await open('killed');
    const found = new Set<string>();
    for (let taken = await again.take('a.fn'); taken !== undefined; taken = await again.take('a.fn')) {
      found.add(taken.item.callId);
      await taken.done();
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    await again.close();
  });

  it('finds items whose consumer the server has forgotten', async () => {
    const queue = await open('forgotten');
    await queue.add(item('a.fn', 'one'));
    await queue.close();
    await server.forgetConsumers('forgotten-queue');
    const again = await open('forgotten');
    await again.ready();
    expect((await again.ready()).lanes).toEqual(['a.fn']);
    expect(await again.take('a.fn')).toMatchObject({ item: { callId: 'one' } });
    await again.close();
  });

  it('says that no server answers', async () => {
    const nowhere = openNatsQueue({ servers: ['127.0.0.1:1'] }, { clock: systemClock });
    await expect(nowhere).rejects.toMatchObject({ code: 'unavailable' });
  });
});
