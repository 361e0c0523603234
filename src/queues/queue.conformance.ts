import { afterEach, expect, it } from 'vitest';
import type { Queue, QueueItem, QueueLimits, Taken } from './queue.ts';

export type QueueHarness = {
  /** A queue over nothing. */
  begin(limits?: Partial<QueueLimits>): Promise<Queue>;
  /** Lets that much time pass for the queue, or a little more. */
  pass(ms: number): Promise<void>;
};

/** What an implementation does not do, each with its reason. */
export type QueueGaps = {
  /** Why what was taken once cannot be cancelled while it waits for its next attempt. */
  readonly cancelBetweenAttempts?: string;
};

/** Where a lease is to run out, which may take real time. */
const shortLeaseMs = 2_500;

export const item = (lane: string, callId: string, body = `body of ${callId}`): QueueItem => ({
  lane,
  callId,
  meta: JSON.stringify({ of: callId, text: 'ü\n"' }),
  body: Buffer.from(body),
});

/** What every `Queue` keeps. */
export const queueConformance = (harness: QueueHarness, gaps: QueueGaps = {}): void => {
  let queue: Queue;

  afterEach(() => queue.close());

  const begin = async (limits: Partial<QueueLimits> = {}): Promise<Queue> => {
    queue = await harness.begin(limits);
    return queue;
  };

  /** Takes, letting time pass in small steps until something is due. */
  const takeSoon = async (lane: string): Promise<Taken> => {
    for (let step = 0; step < 200; step++) {
      const taken = await queue.take(lane);
      if (taken !== undefined) return taken;
      await harness.pass(50);
    }
    throw new Error(`nothing came due in ${lane}`);
  };

  const ids = async (lane: string): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let taken = await queue.take(lane); taken !== undefined; taken = await queue.take(lane)) {
      found.push(taken.item.callId);
      await taken.done();
    }
    return found;
  };

  it('gives back what was added, byte for byte, oldest first, each lane for itself', async () => {
    await begin();
    const body = Uint8Array.from({ length: 70_000 }, (_, n) => n % 256);
    await queue.add({ ...item('a.fn', 'one'), body });
    await queue.add(item('a.fn', 'two'));
    await queue.add(item('b.fn', 'three', ''));
    const first = await queue.take('a.fn');
    expect(first?.item).toMatchObject({ lane: 'a.fn', callId: 'one', meta: item('', 'one').meta });
    expect(Buffer.from(first?.item.body ?? []).equals(Buffer.from(body))).toBe(true);
    expect(first?.attempt).toBe(1);
    expect(await queue.take('never.fn')).toBeUndefined();
    expect(await ids('b.fn')).toEqual(['three']);
    expect(await ids('a.fn')).toEqual(['two']);
  });

  it('gives nothing to two takers', async () => {
    await begin();
    await Promise.all(Array.from({ length: 20 }, (_, n) => queue.add(item('a.fn', `c${n}`))));
    const taken = await Promise.all(Array.from({ length: 30 }, () => queue.take('a.fn')));
    const got = taken.flatMap((one) => (one === undefined ? [] : [one.item.callId]));
    expect(got).toHaveLength(20);
    expect(new Set(got).size).toBe(20);
  });

  it('gives an item to another when its lease runs out, and counts the attempts', async () => {
    const leaseMs = shortLeaseMs;
    await begin({ leaseMs });
    await queue.add(item('a.fn', 'one'));
    const lost = await queue.take('a.fn');
    expect(await queue.take('a.fn')).toBeUndefined();
    await harness.pass(leaseMs);
    const again = await takeSoon('a.fn');
    expect(again.item.callId).toBe('one');
    expect(again.attempt).toBe(2);
    await lost?.done();
    await again.done();
    await harness.pass(leaseMs);
    expect(await queue.take('a.fn')).toBeUndefined();
  });

  it('leaves an item with the taker who shows signs of life', async () => {
    const leaseMs = 2 * shortLeaseMs;
    await begin({ leaseMs });
    await queue.add(item('a.fn', 'one'));
    const taken = await takeSoon('a.fn');
    for (let n = 0; n < 4; n++) {
      await harness.pass(leaseMs * 0.3);
      await taken.extend();
      expect(await queue.take('a.fn')).toBeUndefined();
    }
    await taken.done();
  });

  it('tries again later, and not before', async () => {
    await begin();
    await queue.add(item('a.fn', 'one'));
    await (await takeSoon('a.fn')).retryLater(2_500);
    expect(await queue.take('a.fn')).toBeUndefined();
    const again = await takeSoon('a.fn');
    expect(again.attempt).toBe(2);
    await again.done();
    expect(await queue.stats()).toEqual([]);
  });

  it('adds the follow-up as it ends the item', async () => {
    await begin();
    await queue.add(item('a.fn', 'one'));
    await (await takeSoon('a.fn')).done(item('back.fn', 'one', 'answer'));
    expect(await queue.take('a.fn')).toBeUndefined();
    const followUp = await takeSoon('back.fn');
    expect(followUp.item).toMatchObject({ lane: 'back.fn', callId: 'one' });
    expect(Buffer.from(followUp.item.body).toString()).toBe('answer');
    await followUp.done();
  });

  it('keeps dead letters, replays and drops them', async () => {
    await begin();
    for (const id of ['one', 'two', 'three']) {
      await queue.add(item('a.fn', id));
      await (await takeSoon('a.fn')).bury(`no answer for ${id}`, id === 'three' ? item('back.fn', id) : undefined);
    }
    expect(await queue.take('a.fn')).toBeUndefined();
    expect(await ids('back.fn')).toEqual(['three']);
    const letters = await queue.dead.list(10);
    expect(letters.map(({ callId, why, attempts }) => [callId, why, attempts])).toEqual([
      ['one', 'no answer for one', 1],
      ['two', 'no answer for two', 1],
      ['three', 'no answer for three', 1],
    ]);
    const [one, two] = letters.map(({ id }) => id);
    expect((await queue.dead.list(1, one)).map(({ callId }) => callId)).toEqual(['two']);
    await queue.dead.replay(one as string);
    await queue.dead.drop(two as string);
    const again = await takeSoon('a.fn');
    expect(again.item).toMatchObject({ callId: 'one', meta: item('', 'one').meta });
    expect(again.attempt).toBe(1);
    await again.done();
    expect((await queue.dead.list(10)).map(({ callId }) => callId)).toEqual(['three']);
    expect((await queue.dead.list(10, two)).map(({ callId }) => callId)).toEqual(['three']);
    for (const gone of [one as string, two as string, '999999', 'nonsense', '']) {
      await expect(queue.dead.replay(gone)).rejects.toMatchObject({ code: 'not-found' });
      await expect(queue.dead.drop(gone)).rejects.toMatchObject({ code: 'not-found' });
    }
  });

  it('drops the oldest dead letters when there are too many', async () => {
    await begin({ items: 3 });
    for (const id of ['one', 'two', 'three', 'four']) {
      await queue.add(item('a.fn', id));
      await (await takeSoon('a.fn')).bury('why');
    }
    expect((await queue.dead.list(10)).map(({ callId }) => callId)).toEqual(['two', 'three', 'four']);
  });

  it('cancels what waits, all of a call id, and tells what runs', async () => {
    await begin();
    expect(await queue.cancel('one')).toEqual({ cancelled: 0, running: 0 });
    for (const lane of ['a.fn', 'b.fn', 'c.fn']) await queue.add(item(lane, 'one'));
    await queue.add(item('a.fn', 'other'));
    const running = await takeSoon('c.fn');
    expect(await queue.cancel('one')).toEqual({ cancelled: 2, running: 1 });
    expect(await ids('a.fn')).toEqual(['other']);
    expect(await queue.take('b.fn')).toBeUndefined();
    await running.done();
    expect(await queue.cancel('one')).toEqual({ cancelled: 0, running: 0 });
  });

  it.skipIf(gaps.cancelBetweenAttempts !== undefined)('cancels what waits for its next attempt', async () => {
    await begin();
    await queue.add(item('a.fn', 'one'));
    await (await takeSoon('a.fn')).retryLater(300);
    expect(await queue.cancel('one')).toEqual({ cancelled: 1, running: 0 });
    await harness.pass(400);
    expect(await queue.take('a.fn')).toBeUndefined();
  });

  it('refuses more than it may keep, and takes again when there is room', async () => {
    await begin({ items: 3, itemBytes: 2_000 });
    for (const id of ['one', 'two', 'three']) await queue.add(item('a.fn', id));
    await expect(queue.add(item('b.fn', 'four'))).rejects.toMatchObject({ code: 'full' });
    await expect(queue.add(item('b.fn', 'five', 'x'.repeat(2_001)))).rejects.toMatchObject({ code: 'too-large' });
    await (await takeSoon('a.fn')).done();
    await queue.add(item('b.fn', 'four'));
    expect([...(await ids('a.fn')), ...(await ids('b.fn'))]).toEqual(['two', 'three', 'four']);
  });

  it('holds each lane to its part, so that there is room for others', async () => {
    await begin({ items: 10, laneItems: 2 });
    for (const id of ['one', 'two']) await queue.add(item('a.fn', id));
    const refusal = { code: 'full', message: expect.stringContaining('a.fn') as string };
    await expect(queue.add(item('a.fn', 'three'))).rejects.toMatchObject(refusal);
    await queue.add(item('b.fn', 'four'));
    await (await takeSoon('a.fn')).done();
    // Where the count is a server's, it is told of what is done when it is next asked.
    await queue.ready();
    await queue.add(item('a.fn', 'three'));
    expect([...(await ids('a.fn')), ...(await ids('b.fn'))]).toEqual(['two', 'three', 'four']);
  });

  it('refuses more bytes than it may keep', async () => {
    await begin({ bytes: 20_000 });
    await queue.add(item('a.fn', 'one', 'x'.repeat(12_000)));
    await expect(queue.add(item('a.fn', 'two', 'x'.repeat(12_000)))).rejects.toMatchObject({ code: 'full' });
    await queue.add(item('a.fn', 'three', 'small'));
    expect(await ids('a.fn')).toEqual(['one', 'three']);
  });

  it('refuses names that it cannot keep', async () => {
    await begin();
    for (const bad of [
      item('', 'one'),
      item('a.fn', ''),
      item('x'.repeat(257), 'one'),
      item('a.fn', 'x'.repeat(129)),
    ]) {
      await expect(queue.add(bad)).rejects.toMatchObject({ code: 'invalid' });
    }
    const odd = item('a *.>/ü', '> * . / ü\n');
    await queue.add(odd);
    expect((await takeSoon(odd.lane)).item).toMatchObject({ lane: odd.lane, callId: odd.callId });
  });

  it('tells which lanes are ready, wakes whoever waits, and counts', async () => {
    await begin();
    expect((await queue.ready()).lanes).toEqual([]);
    const woken = Promise.withResolvers<void>();
    const end = queue.onReady(woken.resolve);
    await queue.add(item('a.fn', 'one'));
    await woken.promise;
    end();
    await queue.add(item('a.fn', 'two'));
    await queue.add(item('b.fn', 'three'));
    expect([...(await queue.ready()).lanes].sort()).toEqual(['a.fn', 'b.fn']);
    const taken = await takeSoon('a.fn');
    await (await takeSoon('b.fn')).bury('why');
    const [a, b] = await queue.stats();
    expect(a).toMatchObject({ lane: 'a.fn', waiting: 1, running: 1, dead: 0 });
    expect(a?.oldestAgeMs).toBeGreaterThanOrEqual(0);
    expect(b).toEqual({ lane: 'b.fn', waiting: 0, running: 0, dead: 1, oldestAgeMs: 0 });
    const ready = await queue.ready();
    expect(ready.lanes).toEqual(['a.fn']);
    expect(ready.nextInMs).toBeLessThanOrEqual(queue.limits.leaseMs);
    await taken.done();
  });
};
