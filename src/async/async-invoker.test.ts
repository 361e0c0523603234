import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { functionKey, type FunctionKey } from '../domain/ids.ts';
import { openSqliteQueue, queueMigrations } from '../queues/embedded/sqlite-queue.ts';
import { openMemoryQueue } from '../queues/memory/memory-queue.ts';
import type { Queue, QueueLimits } from '../queues/queue.ts';
import { systemClock } from '../std/clock.ts';
import { openDatabase } from '../std/sqlite.ts';
import { seeded } from '../std/random.ts';
import { silentLog } from '../telemetry/log.ts';
import type { EndedSpan } from '../telemetry/spans.ts';
import { asyncInvoker, type AsyncInvoker } from './async-invoker.ts';
import type { AsyncConfig, AsyncNeeds } from './async-needs.ts';
import { gatewayInvoker, type GatewayInvoker } from './gateway-invoker.ts';
import { TestServer } from './http-servers.testing.ts';

const echo = functionKey('echo');
const known: Record<string, Record<string, string>> = {
  [echo]: {},
  [functionKey('one')]: { 'skein.async.concurrency': '1' },
};
const quick = { maxAttempts: 4, maxAgeMs: 60_000, firstPauseMs: 5, longestPauseMs: 20 };

let gateway: TestServer;
let receiver: TestServer;
let caller: GatewayInvoker;
let queue: Queue;
let invoker: AsyncInvoker;

beforeEach(async () => {
  [gateway, receiver] = [new TestServer(), new TestServer()];
  caller = gatewayInvoker(await gateway.start());
  await receiver.start();
});

afterEach(async () => {
  await invoker.stop(0);
  await queue.close();
  await caller.close();
  await Promise.all([gateway.stop(), receiver.stop()]);
});

const begin = async (
  config: Partial<AsyncConfig> = {},
  needs: Partial<AsyncNeeds> = {},
  limits: Partial<QueueLimits> = {},
): Promise<void> => {
  queue = await openMemoryQueue({ clock: systemClock, log: silentLog }, limits);
  invoker = asyncInvoker(
    {
      queue,
      labels: (key) => known[key],
      invoke: caller.invoke,
      clock: systemClock,
      random: seeded(1),
      log: silentLog,
      ...needs,
    },
    { retries: quick, ...config },
  );
  invoker.start();
};

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

const enqueue = (
  headers: readonly string[] = [],
  body = 'hello',
  key: FunctionKey = echo,
  path = '/',
): Promise<string> => invoker.enqueue({ function: key, path, headers: [...headers], body: chunks(body) });

/** Resolves once the queue holds nothing that waits or runs. */
const settled = async (): Promise<void> => {
  for (;;) {
    const stats = await queue.stats();
    if (stats.every(({ waiting, running }) => waiting + running === 0)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe('a call', () => {
  it('reaches the function as it was sent, without what belongs to one connection', async () => {
    await begin();
    const callId = await invoker.enqueue({
      function: echo,
      path: '/a/../b%20c?x=1&y=%C3%BC',
      headers: [
        'X-Custom',
        'kept',
        'Content-Type',
        'text/x',
        'Connection',
        'X-Hop',
        'X-Hop',
        'gone',
        'X-Skein-Hop',
        '1',
        'Content-Length',
        '99',
      ],
      body: chunks('he', 'llo'),
    });
    const [received] = await gateway.count(1);
    expect(received).toMatchObject({ method: 'POST', url: `/function/${echo}/a/../b%20c?x=1&y=%C3%BC`, body: 'hello' });
    expect(received?.headers).toMatchObject({
      'x-custom': 'kept',
      'content-type': 'text/x',
      'x-call-id': callId,
      'content-length': '5',
    });
    expect(received?.headers).not.toHaveProperty('x-hop');
    expect(received?.headers).not.toHaveProperty('x-skein-hop');
    expect(callId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('keeps the id that the caller gave, and takes several with one id', async () => {
    await begin();
    expect(await enqueue(['X-Call-Id', 'mine'])).toBe('mine');
    expect(await enqueue(['x-call-id', 'mine'])).toBe('mine');
    const received = await gateway.count(2);
    expect(received.map(({ headers }) => headers['x-call-id'])).toEqual(['mine', 'mine']);
  });

  it('is refused when it cannot be made', async () => {
    await begin({ callbacks: { refusePrivate: true, except: [] } }, {}, { itemBytes: 1_000, items: 1 });
    const wrong = async (asked: Promise<string>, code: string): Promise<void> =>
      expect(asked).rejects.toMatchObject({ code });
    await wrong(enqueue([], '', functionKey('nobody')), 'not-found');
    await wrong(enqueue(['X-Callback-Url', 'nonsense']), 'invalid');
    await wrong(enqueue(['X-Callback-Url', receiver.url]), 'invalid');
    await wrong(enqueue(['X-Call-Id', 'x'.repeat(129)]), 'invalid');
    await wrong(enqueue([], '', echo, '/a b'), 'invalid');
    await wrong(enqueue([], 'x'.repeat(1_001)), 'too-large');
    expect(gateway.received).toEqual([]);
  });

  it('is made again while the platform refuses, and not when the function itself fails', async () => {
    await begin();
    const refusals = ['503', '429', '502'];
    gateway.answer = () => {
      const status = refusals.shift();
      if (status === undefined) return { status: 500, body: 'my own fault' };
      return { status: Number(status), headers: { 'X-Skein-Reason': 'full' } };
    };
    await enqueue();
    await gateway.count(4);
    await settled();
    expect(gateway.received).toHaveLength(4);
    expect(await invoker.dead.list(10)).toEqual([]);
  });

  it('is made again when the connection breaks', async () => {
    await begin();
    gateway.answer = () => (gateway.received.length === 1 ? undefined : {});
    await enqueue();
    await gateway.count(2);
    await settled();
    expect(await invoker.stats()).toEqual([]);
  });

  it('becomes a dead letter after the last attempt, and is made anew when replayed', async () => {
    await begin();
    gateway.answer = () => ({ status: 503, headers: { 'X-Skein-Reason': 'no-replica' } });
    await enqueue(['X-Call-Id', 'mine']);
    await gateway.count(quick.maxAttempts);
    await settled();
    const [letter] = await invoker.dead.list(10);
    expect(letter).toMatchObject({ callId: 'mine', lane: echo, attempts: 4 });
    expect(letter?.why).toBe('given up after 4 attempts: the platform refused with 503 (no-replica).');
    expect(await invoker.stats()).toMatchObject([{ function: echo, calls: { waiting: 0, running: 0, dead: 1 } }]);
    gateway.answer = () => ({});
    await invoker.dead.replay(letter?.id ?? '');
    await gateway.count(quick.maxAttempts + 1);
    await settled();
    expect(await invoker.stats()).toEqual([]);
  });

  it.each([3, 5, 7, 11, 13])(
    'is made again though its pause ends between two looks at the clock, %i ms apart',
    async (step) => {
      let looks = 0;
      await begin(
        {},
        {
          clock: {
            ...systemClock,
            monotonic: () => ++looks * step,
            // Time goes on by looks alone.
            after: (ms, callback) => systemClock.after(ms > quick.maxAgeMs ? ms : 0, callback),
          },
        },
      );
      gateway.answer = () =>
        gateway.received.length === quick.maxAttempts ? {} : { status: 503, headers: { 'X-Skein-Reason': 'full' } };
      await enqueue();
      await gateway.count(quick.maxAttempts);
      await settled();
      expect(await invoker.stats()).toEqual([]);
    },
  );

  it('that takes too long is cut off and made again', async () => {
    await begin({ callTimeoutMs: 50 });
    gateway.answer = () => (gateway.received.length === 1 ? new Promise(() => undefined) : {});
    await enqueue();
    await gateway.count(2);
    await settled();
  });

  it('is made again by whoever opens the queue next when the node stops in the middle of it', async () => {
    // Stopping is no fault of the call: not even a last attempt counts.
    await begin({ retries: { ...quick, maxAttempts: 1 } });
    gateway.answer = () => (gateway.received.length === 1 ? new Promise(() => undefined) : {});
    await enqueue();
    await gateway.count(1);
    await invoker.stop(0);
    expect(await invoker.stats()).toMatchObject([{ calls: { waiting: 1, running: 0 } }]);
    invoker = asyncInvoker({
      queue,
      labels: () => ({}),
      invoke: caller.invoke,
      clock: systemClock,
      random: seeded(1),
      log: silentLog,
    });
    invoker.start();
    await gateway.count(2);
  });
});

describe('many calls', () => {
  it('run as many at once as the function may have, and another function is not held up', async () => {
    await begin({ concurrency: 3 });
    const most = new Map<string, number>();
    const now = new Map<string, number>();
    const open = Promise.withResolvers<void>();
    gateway.answer = async ({ url }) => {
      now.set(url, (now.get(url) ?? 0) + 1);
      most.set(url, Math.max(most.get(url) ?? 0, now.get(url) ?? 0));
      if (url.includes('echo')) await open.promise;
      now.set(url, (now.get(url) ?? 0) - 1);
      return {};
    };
    await Promise.all(Array.from({ length: 10 }, () => enqueue()));
    await Promise.all(Array.from({ length: 5 }, () => enqueue([], '', functionKey('one'))));
    await gateway.count(8);
    open.resolve();
    await gateway.count(15);
    await settled();
    expect(Object.fromEntries(most)).toEqual({ [`/function/${echo}/`]: 3, [`/function/${functionKey('one')}/`]: 1 });
  });

  it('are made when the disk has room again, though nothing else comes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-async-'));
    const database = await openDatabase(join(folder, 'node.db'), queueMigrations);
    try {
      const kept = await openSqliteQueue(database, { clock: systemClock, log: silentLog });
      const refused = Promise.withResolvers<void>();
      const log = { ...silentLog, warn: () => refused.resolve() };
      await begin({}, { queue: kept, log });
      await database.run(`CREATE TRIGGER full BEFORE UPDATE ON queue BEGIN SELECT RAISE(ABORT, 'disk is full'); END`);
      await enqueue();
      await refused.promise;
      await database.run('DROP TRIGGER full');
      await gateway.count(1);
      await invoker.stop(0);
    } finally {
      await database.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('do not hammer a function that is refused', async () => {
    await begin({
      concurrency: 1,
      retries: { ...quick, maxAttempts: 2, firstPauseMs: 60_000, longestPauseMs: 60_000 },
    });
    gateway.answer = () => ({ status: 503, headers: { 'X-Skein-Reason': 'full' } });
    for (let n = 0; n < 20; n++) await enqueue();
    await gateway.count(3);
    // Pauses of 100 and 200 ms lie between the first three; without them all twenty would have come.
    expect(gateway.received.length).toBeLessThan(20);
  });
});

describe('a callback', () => {
  it('carries the answer and says what it is about', async () => {
    await begin();
    gateway.answer = () => ({
      status: 418,
      headers: { 'Content-Type': 'text/tea', 'X-Own': 'yes', 'X-Function-Status': 'forged', Connection: 'close' },
      body: 'short and stout',
    });
    await enqueue(['X-Callback-Url', `${receiver.url}/here?x=1`, 'X-Call-Id', 'mine']);
    const [told] = await receiver.count(1);
    expect(told).toMatchObject({ method: 'POST', url: '/here?x=1', body: 'short and stout' });
    expect(told?.headers).toMatchObject({
      'content-type': 'text/tea',
      'x-own': 'yes',
      'x-function-status': '418',
      'x-function-name': 'echo',
      'x-call-id': 'mine',
      'content-length': '15',
    });
    expect(told?.headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/);
    await settled();
    expect(await invoker.stats()).toEqual([]);
  });

  it('is tried again without making the call again, and becomes a dead letter of its own', async () => {
    await begin();
    receiver.answer = () => ({ status: 503 });
    await enqueue(['X-Callback-Url', receiver.url]);
    await receiver.count(quick.maxAttempts);
    await settled();
    expect(gateway.received).toHaveLength(1);
    const [letter] = await invoker.dead.list(10);
    expect(letter).toMatchObject({ lane: `callback:${echo}`, attempts: 4 });
    expect(letter?.why).toContain('the receiver answered 503');
    expect(await invoker.stats()).toMatchObject([{ function: echo, calls: { dead: 0 }, callbacks: { dead: 1 } }]);
  });

  it('tells of a call that was given up', async () => {
    await begin();
    gateway.answer = () => ({ status: 503, headers: { 'X-Skein-Reason': 'full' }, body: 'refused' });
    await enqueue(['X-Callback-Url', receiver.url, 'X-Call-Id', 'mine']);
    const [told] = await receiver.count(1);
    expect(told?.headers).toMatchObject({ 'x-function-status': '503', 'x-call-id': 'mine' });
    expect(told?.body).toBe('');
  });

  it('says when the answer is too long to be posted', async () => {
    await begin({}, {}, { itemBytes: 100_000 });
    gateway.answer = () => ({ body: Buffer.alloc(200_000) });
    await enqueue(['X-Callback-Url', receiver.url]);
    const [told] = await receiver.count(1);
    expect(told?.headers).toMatchObject({ 'x-skein-body-omitted': 'too-large', 'x-function-status': '200' });
    expect(told?.body).toBe('');
  });

  it('sends the user and password of its address as Basic', async () => {
    await begin();
    await enqueue(['X-Callback-Url', `http://me:p%40ss@127.0.0.1:${receiver.port}/`]);
    const [told] = await receiver.count(1);
    expect(told?.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('follows no redirects', async () => {
    await begin();
    receiver.answer = () => ({ status: 302, headers: { Location: `${gateway.url}/stolen` } });
    await enqueue(['X-Callback-Url', receiver.url]);
    await receiver.count(1);
    await settled();
    expect((await invoker.dead.list(1))[0]?.why).toContain('redirects are not followed');
    expect(gateway.received).toHaveLength(1);
  });

  it('goes to the address that the policy saw, whatever the name means by then', async () => {
    const asked: string[] = [];
    const answers = [['10.9.9.9', '127.0.0.1'], ['10.9.9.9']];
    await begin(
      { callbacks: { refusePrivate: true, except: ['127.0.0.1'] } },
      {
        resolve: async (name) => {
          asked.push(name);
          return answers.shift() ?? [];
        },
      },
    );
    await enqueue(['X-Callback-Url', `http://callback.invalid:${receiver.port}/first`]);
    const [told] = await receiver.count(1);
    expect(told?.headers.host).toBe(`callback.invalid:${receiver.port}`);
    await settled();
    await enqueue(['X-Callback-Url', `http://callback.invalid:${receiver.port}/second`]);
    await gateway.count(2);
    await settled();
    expect(asked).toEqual(['callback.invalid', 'callback.invalid']);
    expect(receiver.received).toHaveLength(1);
    expect((await invoker.dead.list(1))[0]?.why).toContain('an address to which this node does not post');
  });

  it('is tried again when nobody listens, and cut off when nobody answers', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as { port: number };
    await begin({ callbackTimeoutMs: 30 });
    await enqueue(['X-Callback-Url', `http://127.0.0.1:${port}/`]);
    await gateway.count(1);
    await settled();
    mute.close();
    expect((await invoker.dead.list(1))[0]?.why).toMatch(/given up after 4 attempts.*no answer in 30 ms/);
  });
});

describe('a callback to a name', () => {
  it('is tried again when nobody says in time what the name means', async () => {
    await begin({ callbackTimeoutMs: 10 }, { resolve: () => new Promise(() => {}) });
    await enqueue(['X-Callback-Url', 'http://callback.invalid/']);
    await gateway.count(1);
    await settled();
    expect((await invoker.dead.list(1))[0]?.why).toMatch(/given up after 4 attempts.*no answer in 10 ms/);
  });
});

describe('cancelling', () => {
  it('ends what waits, leaves what runs, and knows nothing of others', async () => {
    await begin();
    const open = Promise.withResolvers<void>();
    gateway.answer = async () => {
      await open.promise;
      return {};
    };
    await enqueue(['X-Call-Id', 'first'], 'one', functionKey('one'));
    await gateway.count(1);
    await enqueue(['X-Call-Id', 'second'], 'two', functionKey('one'));
    expect(await invoker.cancel('second')).toEqual({ cancelled: 1, running: 0 });
    expect(await invoker.cancel('first')).toEqual({ cancelled: 0, running: 1 });
    expect(await invoker.cancel('third')).toEqual({ cancelled: 0, running: 0 });
    open.resolve();
    await settled();
    expect(gateway.received.map(({ body }) => body)).toEqual(['one']);
  });
});

describe('what is told of asynchronous calls', () => {
  it('is a span for its acceptance and one for each attempt, each under the one before, and the trace travels on', async () => {
    const spans: EndedSpan[] = [];
    let made = 0;
    await begin(
      {},
      {
        spans: {
          begin: () => ({ outgoing: `00-${'a'.repeat(32)}-${String(++made).padStart(16, '0')}-01` }),
          end: (span) => void spans.push(span),
        },
      },
    );
    await enqueue(['Traceparent', 'given', 'tracestate', 'x=1']);
    await settled();
    expect(spans.map(({ kind, name, traceparentIn }) => [kind, name, traceparentIn])).toEqual([
      ['producer', `accept ${echo}`, 'given'],
      ['consumer', `attempt ${echo}`, spans[0]?.traceparentOut],
    ]);
    expect(spans[1]?.attributes).toMatchObject({ 'skein.attempt': 1, 'http.response.status_code': 200 });
    expect(gateway.received[0]?.headers).toMatchObject({ traceparent: spans[1]?.traceparentOut, tracestate: 'x=1' });
  });
});
