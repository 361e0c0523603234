import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMemoryQueue } from '../queues/memory/memory-queue.ts';
import type { Queue } from '../queues/queue.ts';
import { ManualClock, systemClock } from '../std/clock.ts';
import { silentLog } from '../telemetry/log.ts';
import { queueHere, type QueueHost } from './queue-host.ts';
import { createQueues, type QueuesNeeds } from './queues.ts';

let opened: Queue[];

beforeEach(() => {
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((queue) => queue.close()));
});

type Node = { readonly name: string; readonly queue: Queue; readonly host: QueueHost };

const nodeOf = async (name: string): Promise<Node> => {
  const queue = await openMemoryQueue({ clock: systemClock, log: silentLog });
  opened.push(queue);
  const calls = { cancel: queue.cancel.bind(queue), dead: queue.dead, stats: async () => statsOf(queue) };
  return { name, queue, host: queueHere(name, calls) };
};

const statsOf = async (queue: Queue) => {
  const none = { waiting: 0, running: 0, dead: 0, oldestAgeMs: 0 };
  return (await queue.stats()).map(({ lane, ...calls }) => ({ function: lane as never, calls, callbacks: none }));
};

const add = (queue: Queue, callId: string): Promise<void> =>
  queue.add({ lane: 'echo.openfaas-fn', callId, meta: '{}', body: Buffer.from('work') });

const bury = async ({ queue }: Node, callId: string): Promise<void> => {
  await add(queue, callId);
  const taken = await queue.take('echo.openfaas-fn');
  await taken?.bury('it never answered');
};

const silent = (name: string): QueueHost => {
  const never = (): Promise<never> => new Promise(() => {});
  return { name, stats: never, cancel: never, dead: never, replay: never, drop: never };
};

const at = (here: Node, peers: readonly QueueHost[], change: Partial<QueuesNeeds> = {}) =>
  createQueues({ here: here.host, shared: false, peers: () => peers, clock: systemClock, ...change });

describe('what waits at all nodes', () => {
  it('is cancelled wherever it is, and runs wherever it runs', async () => {
    const [one, two] = [await nodeOf('node-1'), await nodeOf('node-2')];
    await add(one.queue, 'both');
    await add(two.queue, 'both');
    await add(two.queue, 'there');
    const queues = at(one, [two.host]);
    expect(await queues.cancel('both')).toEqual({ cancelled: 2, running: 0, unreachable: [] });
    const taken = await two.queue.take('echo.openfaas-fn');
    expect(await queues.cancel('there')).toEqual({ cancelled: 0, running: 1, unreachable: [] });
    await taken?.done();
    expect(await queues.cancel('there')).toEqual({ cancelled: 0, running: 0, unreachable: [] });
    expect(await queues.cancel('x'.repeat(500))).toMatchObject({ cancelled: 0 });
  });

  it('is counted over all, by function', async () => {
    const [one, two] = [await nodeOf('node-1'), await nodeOf('node-2')];
    await add(one.queue, 'a');
    await add(two.queue, 'b');
    await bury(two, 'c');
    const { functions } = await at(one, [two.host]).stats();
    expect(functions).toMatchObject([{ function: 'echo.openfaas-fn', calls: { waiting: 2, dead: 1 } }]);
  });

  it('names those that do not answer in time, and waits no longer', async () => {
    const one = await nodeOf('node-1');
    await bury(one, 'mine');
    const clock = new ManualClock();
    const queues = at(one, [silent('node-2'), silent('node-3')], { clock });
    const asked = Promise.all([queues.stats(), queues.cancel('any'), queues.dead(10, undefined)]);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(2_000);
    for (const { unreachable } of await asked) expect(unreachable).toEqual(['node-2', 'node-3']);
    const settled = expect(queues.replay('node-2/1')).rejects.toMatchObject({ code: 'timeout' });
    clock.advance(10_000);
    await settled;
  });

  it('is not asked of others where all nodes share a queue', async () => {
    const one = await nodeOf('node-1');
    await bury(one, 'a');
    const queues = at(one, [silent('node-2')], { shared: true });
    expect(await queues.cancel('none')).toEqual({ cancelled: 0, running: 0, unreachable: [] });
    expect(await queues.stats()).toMatchObject({ functions: [{ calls: { dead: 1 } }], unreachable: [] });
    const { letters } = await queues.dead(10, undefined);
    expect(letters).toMatchObject([{ id: '1', callId: 'a' }]);
    expect(letters[0]).not.toHaveProperty('node');
    await queues.replay('1');
    expect((await one.queue.stats())[0]).toMatchObject({ waiting: 1, dead: 0 });
  });

  it('lets only so many calls be cancelled at once', async () => {
    const queues = at(await nodeOf('node-1'), [silent('node-2')], { clock: new ManualClock() });
    for (let count = 0; count < 32; count++) void queues.cancel('any');
    await expect(queues.cancel('any')).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('what was given up', () => {
  it('is listed page by page, node by node, though letters go meanwhile', async () => {
    const nodes = await Promise.all(['node-2', 'node-1', 'node-3'].map(nodeOf));
    for (const node of nodes) for (const call of ['a', 'b', 'c']) await bury(node, `${call} of ${node.name}`);
    const [two, one, three] = nodes as [Node, Node, Node];
    const queues = at(two, [three.host, one.host]);
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const { letters, unreachable } = await queues.dead(2, after);
      expect(unreachable).toEqual([]);
      if (letters.length === 0) break;
      for (const { id, node, callId } of letters) {
        seen.push(callId);
        expect(id.startsWith(`${node ?? ''}/`)).toBe(true);
        await queues.drop(id);
      }
      after = letters.at(-1)?.id;
    }
    expect(seen).toEqual(
      ['node-1', 'node-2', 'node-3'].flatMap((name) => ['a', 'b', 'c'].map((x) => `${x} of ${name}`)),
    );
    expect((await queues.dead(10, undefined)).letters).toEqual([]);
  });

  it('is replayed and dropped at the node that holds it', async () => {
    const [one, two] = [await nodeOf('node-1'), await nodeOf('node-2')];
    for (const node of [one, two]) for (const call of ['a', 'b']) await bury(node, call);
    const queues = at(one, [two.host]);
    await queues.replay('node-2/1');
    await queues.drop('node-2/2');
    expect((await two.queue.stats())[0]).toMatchObject({ waiting: 1, dead: 0 });
    expect((await one.queue.stats())[0]).toMatchObject({ waiting: 0, dead: 2 });
    await queues.replay('1');
    await queues.replay('node-1/2');
    expect((await one.queue.stats())[0]).toMatchObject({ waiting: 2, dead: 0 });
    await expect(queues.replay('node-2/7')).rejects.toMatchObject({ code: 'not-found' });
    await expect(queues.replay('node-9/1')).rejects.toMatchObject({ code: 'unavailable' });
    const twice = at(one, [two.host, (await nodeOf('node-2')).host]);
    await expect(twice.drop('node-2/1')).rejects.toThrow('several nodes');
  });
});
