import { request } from 'node:http';
import { describe, expect, test as base } from 'vitest';
import { codeOf } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import type { ReplicaPlan } from '../routing/plan.ts';
import type { FunctionProvider, FunctionSpec, LogOptions, ReplicaLine } from './provider.ts';

/** What a function of the suite does. */
export type Behaviour =
  /** Answers every request with `text`. */
  | { readonly kind: 'answers'; readonly text: string }
  /** Sends `first`, and `last` a second later, which is longer than any delay of draining. */
  | { readonly kind: 'dawdles' }
  /** Can be started and never becomes ready. */
  | { readonly kind: 'broken' }
  /** Cannot be run at all. */
  | { readonly kind: 'impossible' };

export type ProviderHarness = {
  readonly provider: FunctionProvider;
  /** A function of this provider that behaves so; equal arguments give equal functions. */
  spec(
    ref: FunctionRef,
    revision: string,
    behaviour: Behaviour,
    env?: Readonly<Record<string, string>>,
  ): Promise<FunctionSpec>;
  /** For a provider with `logs`: a function that writes `text` as a line for every call, and answers. */
  says?(ref: FunctionRef, revision: string, text: string): Promise<FunctionSpec>;
  /** Ends a replica without warning. */
  crash(replica: ReplicaPlan): Promise<void>;
  /** Ends everything it opened. */
  close(): Promise<void>;
};

/** What a provider cannot be asked for, each with the reason. */
export type Lacks = {
  /** It has no functions that start and never become ready. */
  readonly broken?: string;
};

const ref: FunctionRef = { name: 'hello', namespace: 'openfaas-fn' };

type Opened = {
  readonly harness: ProviderHarness;
  readonly provider: FunctionProvider;
  readonly hello: (revision?: string, text?: string) => Promise<FunctionSpec>;
};

/** Every provider that runs functions itself keeps these promises. `open` gives a fresh, started one. */
export const providerConformance = (name: string, open: () => Promise<ProviderHarness>, lacks: Lacks = {}): void => {
  const ifBroken = (sentence: string): string =>
    lacks.broken === undefined ? sentence : `${sentence} (does not apply: ${lacks.broken})`;

  /** Each test has a provider of its own: most of their time is waiting, which they do beside each other. */
  const it = base.extend<Opened>({
    // oxlint-disable-next-line no-empty-pattern
    harness: async ({}, use) => {
      const harness = await open();
      await use(harness);
      await harness.close();
    },
    provider: ({ harness }, use) => use(harness.provider),
    hello: ({ harness }, use) =>
      use((revision = '1', text = 'hello') => harness.spec(ref, revision, { kind: 'answers', text })),
  });

  describe.concurrent(`${name} is a function provider that`, () => {
    it('runs as many replicas as were asked for, each of which answers', async ({ provider, hello }) => {
      const spec = await hello();
      await provider.deploy(spec, 2);
      const replicas = provider.resolve(ref);
      expect(replicas).toHaveLength(2);
      expect(new Set(replicas.map(({ id }) => id)).size).toBe(2);
      for (const replica of replicas) {
        expect(replica).toMatchObject({ version: '1', weight: 1, maxInFlight: 0 });
        expect(await call(replica)).toBe('hello');
      }
      expect(await provider.list()).toEqual([{ spec, replicas: 2, available: 2 }]);
    });

    it('knows a function of which nothing runs', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 0);
      expect(provider.resolve(ref)).toEqual([]);
      expect(await provider.list()).toMatchObject([{ replicas: 0, available: 0 }]);
    });

    it('keeps functions of one name in different namespaces apart', async ({ harness, provider, hello }) => {
      const other = { name: ref.name, namespace: 'dev' };
      await provider.deploy(await hello(), 1);
      await provider.deploy(await harness.spec(other, '1', { kind: 'answers', text: 'dev' }), 1);
      expect(await call(one(provider, other))).toBe('dev');
      await provider.remove(other);
      expect(await call(one(provider, ref))).toBe('hello');
    });

    it('hands on the bound of a replica that max_inflight sets', async ({ harness, provider }) => {
      await provider.deploy(await harness.spec(ref, '1', { kind: 'answers', text: '' }, { max_inflight: '3' }), 1);
      expect(one(provider, ref).maxInFlight).toBe(3);
    });

    it('refuses to deploy what is there, and to change or remove what is not', async ({ provider, hello }) => {
      const spec = await hello();
      expect(await fault(provider.update(spec))).toBe('not-found');
      expect(await fault(provider.scale(ref, 1))).toBe('not-found');
      expect(await fault(provider.remove(ref))).toBe('not-found');
      expect(provider.resolve(ref)).toEqual([]);
      await provider.deploy(spec, 0);
      expect(await fault(provider.deploy(spec, 0))).toBe('exists');
    });

    it('refuses what cannot be run at all, and forgets it', async ({ harness, provider }) => {
      expect(await fault(provider.deploy(await harness.spec(ref, '1', { kind: 'impossible' }), 0))).toBe('invalid');
      expect(await provider.list()).toEqual([]);
    });

    it.skipIf(lacks.broken)(
      ifBroken('remembers a function that did not become ready, with the reason'),
      async ({ harness, provider }) => {
        expect(await fault(provider.deploy(await harness.spec(ref, '1', { kind: 'broken' }), 1))).toBe('unavailable');
        const [status] = await provider.list();
        expect(status).toMatchObject({ replicas: 1, available: 0 });
        expect(status?.problem).toContain('broken');
      },
    );

    it('scales up and down to nothing and up again', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 0);
      await provider.scale(ref, 3);
      expect(provider.resolve(ref)).toHaveLength(3);
      await provider.scale(ref, 1);
      expect(await call(one(provider, ref))).toBe('hello');
      await provider.scale(ref, 0);
      expect(provider.resolve(ref)).toEqual([]);
      await provider.scale(ref, 1);
      expect(await call(one(provider, ref))).toBe('hello');
    });

    it('answers everyone who waits for the same replica', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 0);
      await Promise.all([provider.scale(ref, 1), provider.scale(ref, 1), provider.scale(ref, 1)]);
      expect(provider.resolve(ref)).toHaveLength(1);
    });

    it('cuts no running call when replicas go', async ({ harness, provider }) => {
      await provider.deploy(await harness.spec(ref, '1', { kind: 'dawdles' }), 1);
      const running = await begin(one(provider, ref));
      await provider.scale(ref, 0);
      expect(await running.rest).toBe('firstlast');
    });

    it('cuts no running call when the function is removed', async ({ harness, provider }) => {
      await provider.deploy(await harness.spec(ref, '1', { kind: 'dawdles' }), 1);
      const running = await begin(one(provider, ref));
      const removed = provider.remove(ref);
      expect(provider.resolve(ref)).toEqual([]);
      expect(await running.rest).toBe('firstlast');
      await removed;
      expect(await provider.list()).toEqual([]);
    });

    it('still answers what is sent in the moment after a replica left', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 1);
      const leaving = one(provider, ref);
      await provider.scale(ref, 0);
      expect(await call(leaving)).toBe('hello');
    });

    it('never has too few replicas while it updates, and ends with the new revision', async ({ provider, hello }) => {
      await provider.deploy(await hello('1', 'old'), 2);
      let fewest = 2;
      provider.onChange(() => (fewest = Math.min(fewest, provider.resolve(ref).length)));
      await provider.update(await hello('2', 'new'));
      expect(fewest).toBe(2);
      expect(provider.resolve(ref).map(({ version }) => version)).toEqual(['2', '2']);
      for (const replica of provider.resolve(ref)) expect(await call(replica)).toBe('new');
    });

    it('changes nothing when told the same revision again', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 1);
      const before = provider.resolve(ref);
      await provider.update(await hello());
      expect(provider.resolve(ref)).toEqual(before);
    });

    it.skipIf(lacks.broken)(
      ifBroken('goes on with the old revision when the new one does not become ready'),
      async ({ harness, provider, hello }) => {
        await provider.deploy(await hello(), 1);
        const before = provider.resolve(ref);
        expect(await fault(provider.update(await harness.spec(ref, '2', { kind: 'broken' })))).toBe('unavailable');
        expect(await fault(provider.update(await harness.spec(ref, '3', { kind: 'impossible' })))).toBe('invalid');
        expect(provider.resolve(ref)).toEqual(before);
        expect(await call(one(provider, ref))).toBe('hello');
        expect(await provider.list()).toMatchObject([{ spec: { revision: '1' }, available: 1 }]);
      },
    );

    it('takes the scale it is told while it updates', async ({ provider, hello }) => {
      await provider.deploy(await hello('1', 'old'), 1);
      await Promise.all([hello('2', 'new').then((spec) => provider.update(spec)), provider.scale(ref, 2)]);
      await provider.scale(ref, 2);
      expect(provider.resolve(ref).map(({ version }) => version)).toEqual(['2', '2']);
    });

    it('goes on with the old revision when the new one cannot be run at all', async ({ harness, provider, hello }) => {
      await provider.deploy(await hello(), 1);
      const before = provider.resolve(ref);
      expect(await fault(provider.update(await harness.spec(ref, '2', { kind: 'impossible' })))).toBe('invalid');
      expect(provider.resolve(ref)).toEqual(before);
    });

    it('replaces a replica that crashed', async ({ harness, provider, hello }) => {
      await provider.deploy(await hello(), 1);
      const first = one(provider, ref);
      const replaced = changed(provider, ref, (replicas) => replicas.some(({ id }) => id !== first.id));
      await harness.crash(first);
      await replaced;
      expect(provider.resolve(ref)).toHaveLength(1);
      expect(await call(one(provider, ref))).toBe('hello');
    });

    it('refuses more replicas than it can hold, naming the limit', async ({ provider, hello }) => {
      await provider.deploy(await hello(), 1);
      await expect(provider.scale(ref, 1_000_000)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/more than the \d+/) as string,
      });
      expect(provider.resolve(ref)).toHaveLength(1);
    });

    it('gives out what replicas wrote, where it keeps that', async ({ harness, provider }) => {
      expect('logs' in provider).toBe('says' in harness);
      if (!('logs' in provider) || harness.says === undefined) return;
      const ended = new AbortController();
      const none = await collect(provider.logs(ref, { signal: ended.signal }));
      expect(none).toEqual([]);
      await provider.deploy(await harness.says(ref, '1', 'a word'), 1);
      const replica = one(provider, ref);
      const following = provider.logs(ref, { follow: true, signal: ended.signal })[Symbol.asyncIterator]();
      const next = nextLine(following, 'a word');
      const before = Date.now();
      await call(replica);
      const heard = await next;
      expect(heard.instance).toBe(replica.id);
      expect(Math.abs(Date.parse(heard.timestamp) - before)).toBeLessThan(60_000);
      expect(heard.timestamp).toMatch(/Z$/);
      const rest = following.next();
      ended.abort();
      // What was read before may still come.
      for (let line = await rest; line.done !== true; line = await following.next()) {
        expect(line.value.instance).toBe(replica.id);
      }
      const options = { signal: new AbortController().signal };
      const logs = (asked: LogOptions): AsyncIterable<ReplicaLine> => provider.logs!(ref, asked);
      const texts = async (more: Partial<LogOptions>): Promise<readonly string[]> =>
        (await collect(logs({ ...options, ...more }))).map(({ text }) => text);
      expect(await texts({ instance: replica.id })).toContain('a word');
      expect(await texts({ instance: 'another' })).toEqual([]);
      expect(await texts({ tail: 1 })).toHaveLength(1);
      expect(await texts({ since: Date.now() + 3_600_000 })).toEqual([]);
      await provider.scale(ref, 0);
      expect(await texts({})).toContain('a word');
    });

    it('tells listeners until they have heard enough', async ({ provider, hello }) => {
      const heard: FunctionRef[] = [];
      const end = provider.onChange((changed) => heard.push(changed));
      await provider.deploy(await hello(), 1);
      expect(heard).toContainEqual(ref);
      end();
      const before = heard.length;
      await provider.scale(ref, 0);
      expect(heard).toHaveLength(before);
    });
  });
};

const one = (provider: FunctionProvider, ref: FunctionRef): ReplicaPlan => {
  const [replica] = provider.resolve(ref);
  if (replica === undefined) throw new Error(`no replica of ${ref.name} is ready`);
  return replica;
};

const fault = async (attempt: Promise<void>): Promise<string> =>
  attempt.then(
    () => 'none',
    (error: unknown) => codeOf(error),
  );

/** Resolves when the ready replicas of a function satisfy `condition`. */
const changed = async (
  provider: FunctionProvider,
  ref: FunctionRef,
  condition: (replicas: readonly ReplicaPlan[]) => boolean,
): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = provider.onChange(() => {
    if (condition(provider.resolve(ref))) resolve();
  });
  await promise;
  end();
};

const collect = async (lines: AsyncIterable<ReplicaLine>): Promise<readonly ReplicaLine[]> => {
  const collected: ReplicaLine[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
};

const nextLine = async (lines: AsyncIterator<ReplicaLine>, text: string): Promise<ReplicaLine> => {
  for (;;) {
    const next = await lines.next();
    if (next.done === true) throw new Error(`the log ended without "${text}"`);
    if (next.value.text === text) return next.value;
  }
};

/** A call whose answer has begun to arrive. */
const begin = async (replica: ReplicaPlan): Promise<{ readonly rest: Promise<string> }> => {
  const { address } = replica;
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const started = Promise.withResolvers<void>();
  const rest = Promise.withResolvers<string>();
  const sent = request({ ...where, method: 'POST', agent: false }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      started.resolve();
    });
    answer.on('end', () => {
      started.resolve();
      rest.resolve(text);
    });
    answer.on('error', rest.reject);
  });
  sent.on('error', started.reject).on('error', rest.reject).end();
  rest.promise.catch(() => {});
  await started.promise;
  return { rest: rest.promise };
};

const call = async (replica: ReplicaPlan): Promise<string> => (await begin(replica)).rest;
