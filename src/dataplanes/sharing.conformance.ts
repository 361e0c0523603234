import { describe, expect, it } from 'vitest';
import type { FunctionPlan, Limit } from '../routing/plan.ts';
import { call, eventually, Gate, saying, tally, times } from './calls.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

/** Where calls go: what `routing/` decides, seen from outside. */
export const sharingConformance = (
  nodes: () => { readonly a: TestNode; readonly b: TestNode; readonly c: TestNode },
): void => {
  describe('where calls go', () => {
    /** `name` at all three nodes; `changes` are of a's plan. */
    const everywhere = async (
      name: string,
      changes: Partial<FunctionPlan>,
      slots: readonly [number, number, number] = [100, 100, 100],
      there: Partial<FunctionPlan> = {},
    ): Promise<void> => {
      const { a, b, c } = nodes();
      for (const [index, node] of [b, c].entries()) {
        const replica = await node.replica(name, saying(node.facts.name));
        await node.apply(slots[index + 1] as number, { [name]: functionPlan([replica], there) }, [a.asPeer(slots[0])]);
      }
      const replica = await a.replica(name, saying('a'));
      await a.apply(slots[0], { [name]: functionPlan([replica], changes) }, [b.asPeer(slots[1]), c.asPeer(slots[2])]);
    };
    const shares = (b: number, c: number) => [
      { id: nodes().b.id, weight: b },
      { id: nodes().c.id, weight: c },
    ];
    const served = async (name: string, calls: number): Promise<Readonly<Record<string, number>>> => {
      const nodesThere: (string | undefined)[] = [];
      for (let index = 0; index < calls; index += 1) {
        const { node, status, body } = await call(`${nodes().a.url}/function/${name}`);
        expect([status, body]).toEqual([200, node]);
        nodesThere.push(node);
      }
      return tally(nodesThere);
    };

    it('shares calls out by weight', async () => {
      await everywhere('weighted', { policy: 'weighted', local: { weight: 2 }, peers: shares(1, 1) });
      const { a = 0, b = 0, c = 0 } = await served('weighted', 40);
      // By one in each thread, which deal out their calls by themselves.
      expect(Math.abs(a - 20)).toBeLessThanOrEqual(2);
      expect(Math.abs(b - 10)).toBeLessThanOrEqual(2);
      expect(Math.abs(c - 10)).toBeLessThanOrEqual(2);
    });

    it('serves here first and passes on what is over its rate', async () => {
      const local = { weight: 1, limit: { kind: 'rate', perSecond: 3 } as const };
      await everywhere('by-rate', { policy: 'local-first', local, peers: shares(1, 3) });
      const startedAt = Date.now();
      const { a = 0, b = 0, c = 0 } = await served('by-rate', 43);
      const seconds = (Date.now() - startedAt) / 1000;
      expect(a).toBeGreaterThanOrEqual(3);
      expect(a).toBeLessThanOrEqual(3 + 3 * seconds + 1);
      expect(Math.abs(c - 3 * b)).toBeLessThanOrEqual(6);
    });

    it('serves here first and passes on what is over its count', async () => {
      const gate = new Gate();
      const { a, b } = nodes();
      const local = { weight: 1, limit: { kind: 'in-flight', count: 2 } as const };
      await everywhere('by-count', {});
      const peers = [{ id: b.id, weight: 1 }];
      const here = functionPlan([await a.replica('gate-by-count', gate.listener)], {
        policy: 'local-first',
        local,
        peers,
      });
      await a.apply(100, { 'by-count': here }, [b.asPeer(100)]);
      const first = times(2, () => call(`${a.url}/function/by-count`));
      await gate.arrived(2);
      expect((await call(`${a.url}/function/by-count`)).node).toBe('b');
      gate.open();
      expect(tally((await Promise.all(first)).map(({ node }) => node))).toEqual({ a: 2 });
    });

    it('serves here while there is room, then at the peer with more of it', async () => {
      const gate = new Gate();
      const { a, b } = nodes();
      await everywhere('least', {}, [2, 50, 50]);
      const here = functionPlan([await a.replica('gate-least', gate.listener)], { peers: [{ id: b.id, weight: 1 }] });
      await a.apply(2, { least: here }, [b.asPeer(50)]);
      const first = times(2, () => call(`${a.url}/function/least`));
      await gate.arrived(2);
      expect((await call(`${a.url}/function/least`)).node).toBe('b');
      expect(await a.observed('least')).toMatchObject({ forwarded: { [b.id]: 1 }, inFlight: 2 });
      expect(await b.observed('least')).toMatchObject({ received: { [a.id]: 1 }, served: 1 });
      gate.open();
      await Promise.all(first);
    });

    it('asks another peer when one refuses, with the body whole', async () => {
      const { a, b, c } = nodes();
      await everywhere(
        'refused',
        { policy: 'ranked', local: { weight: 1 }, replicas: [], peers: shares(1, 1) },
        [4, 4, 4],
      );
      const none = functionPlan([await b.replica('none', saying('b'))], {
        admission: { peers: {}, others: { kind: 'in-flight', count: 0 } },
      });
      await b.apply(4, { refused: none }, [a.asPeer(4)]);
      const body = 'x'.repeat(2_000);
      const there = functionPlan([
        await c.replica('length', (request, response) => {
          let length = 0;
          request.on('data', (chunk: Buffer) => (length += chunk.length)).on('end', () => response.end(`${length}`));
        }),
      ]);
      await c.apply(4, { refused: there }, [a.asPeer(4)]);
      const remote = functionPlan([], { policy: 'ranked', peers: shares(1, 1) });
      await a.apply(4, { refused: remote }, [b.asPeer(4), c.asPeer(4)]);
      expect(await call(`${a.url}/function/refused`, { body })).toMatchObject({ status: 200, node: 'c', body: '2000' });
      expect((await b.observed('refused')).rejected).toEqual({ full: 1 });
    });

    it('never passes on what a peer sent, even where it has no room itself', async () => {
      const gate = new Gate();
      const { a, b, c } = nodes();
      await everywhere('one-hop', {}, [1, 1, 50]);
      const atB = functionPlan([await b.replica('gate-one-hop', gate.listener)], {
        peers: [{ id: c.id, weight: 1 }],
        queueMs: 0,
      });
      await b.apply(1, { 'one-hop': atB }, [a.asPeer(1), c.asPeer(50)]);
      const atA = functionPlan([], { peers: [{ id: b.id, weight: 1 }], queueMs: 0 });
      await a.apply(1, { 'one-hop': atA }, [b.asPeer(50)]);
      const first = call(`${a.url}/function/one-hop`);
      await gate.arrived(1);
      expect(await call(`${a.url}/function/one-hop`)).toMatchObject({ status: 503, reason: 'full', node: 'a' });
      expect((await c.observed('one-hop')).served).toBe(0);
      gate.open();
      await first;
    });

    const bounded = (admitted: Limit): Partial<FunctionPlan> => ({ admission: { peers: {}, others: admitted } });

    it.each([
      ['a rate', { kind: 'rate', perSecond: 0.1 } as const, 'over-rate'],
      ['a count', { kind: 'in-flight', count: 0 } as const, 'full'],
    ])('holds a peer to %s, and takes more from its own users', async (_name, limit, reason) => {
      const { a, b } = nodes();
      const name = `held-${limit.kind}`;
      await everywhere(name, { replicas: [], peers: shares(1, 0), queueMs: 0 }, [4, 100, 4], bounded(limit));
      // Another peer might have room for all of them, one after the other.
      await a.apply(4, { [name]: functionPlan([], { peers: [{ id: b.id, weight: 1 }], queueMs: 0 }) }, [b.asPeer(100)]);
      // By its answer a learns how many slots b has now.
      const first = await call(`${a.url}/function/${name}`);
      const more = await Promise.all(times(8, () => call(`${a.url}/function/${name}`)));
      const answers = [first, ...more];
      const taken = answers.filter(({ status }) => status === 200).length;
      expect(taken).toBeLessThanOrEqual(limit.kind === 'rate' ? 2 : 0);
      expect((await b.observed(name)).rejected[reason as 'full']).toBeGreaterThan(0);
      expect(await call(`${b.url}/function/${name}`)).toMatchObject({ status: 200, node: 'b' });
    });
  });

  describe('bounds', () => {
    const gated = async (
      name: string,
      slots: number,
      changes: Partial<FunctionPlan>,
    ): Promise<{ readonly gate: Gate; readonly url: string }> => {
      const { a } = nodes();
      const gate = new Gate();
      await a.apply(slots, { [name]: functionPlan([await a.replica(name, gate.listener)], changes) });
      return { gate, url: `${a.url}/function/${name}` };
    };

    it.each([
      ['no slot is free', 2, { queueMs: 0 }, 503],
      ['the function has its bound in flight', 100, { queueMs: 0, maxInFlight: 2 }, 429],
    ])('refuses at once when %s', async (_name, slots, changes, status) => {
      const { gate, url } = await gated(`bound-${status}`, slots, changes);
      const first = times(2, () => call(url));
      await gate.arrived(2);
      const answer = await call(url);
      expect(answer).toMatchObject({ status, reason: 'full', node: 'a' });
      expect(answer.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' });
      expect(answer.headers['x-call-id']).toBeTruthy();
      gate.open();
      expect(tally((await Promise.all(first)).map(({ body }) => body))).toEqual({ through: 2 });
    });

    it('holds a function to its rate', async () => {
      const { gate, url } = await gated('rated', 100, { queueMs: 0, maxRate: 5 });
      gate.open();
      const startedAt = Date.now();
      const answers = await Promise.all(times(30, () => call(url)));
      const ran = answers.filter(({ status }) => status === 200).length;
      expect(ran).toBeGreaterThanOrEqual(5);
      expect(ran).toBeLessThanOrEqual(6 + (5 * (Date.now() - startedAt)) / 1000);
      const refused = answers.find(({ status }) => status !== 200);
      expect(refused).toMatchObject({ status: 429, reason: 'over-rate' });
    });

    it('lets calls wait for a slot, and serves all of them', async () => {
      const { gate, url } = await gated('queued', 1, { queueMs: 10_000 });
      const all = times(5, () => call(url));
      await gate.arrived(1);
      await eventually(async () => (await nodes().a.observed('queued')).queued === 4, 'four wait');
      gate.open();
      expect(tally((await Promise.all(all)).map(({ status }) => `${status}`))).toEqual({ 200: 5 });
      expect(await nodes().a.observed('queued')).toMatchObject({ queued: 0, inFlight: 0, served: 5 });
    });

    it('lets no call wait longer than its queue allows', async () => {
      const { gate, url } = await gated('impatient', 1, { queueMs: 30 });
      const first = call(url);
      await gate.arrived(1);
      expect(await call(url)).toMatchObject({ status: 503, reason: 'queue-timeout' });
      gate.open();
      await first;
    });

    it('lets calls wait for a place that is to come, as long as the queue allows: a peer of no weight', async () => {
      const { a, b } = nodes();
      const url = `${a.url}/function/coming`;
      const put = (weight: number, queueMs: number): Promise<void> =>
        a.apply(8, { coming: functionPlan([], { peers: [{ id: b.id, weight }], queueMs }) }, [b.asPeer(8)]);
      await b.apply(8, { coming: functionPlan([await b.replica('coming', saying('came'))]) }, [a.asPeer(8)]);
      await put(0, 20_000);
      const answer = call(url);
      await eventually(async () => (await a.observed('coming')).queued === 1, 'it waits');
      await put(1, 20_000);
      expect(await answer).toMatchObject({ status: 200, body: 'came', node: 'b' });
      await put(0, 30);
      expect(await call(url)).toMatchObject({ status: 503, reason: 'queue-timeout' });
    });

    it('refuses a share of the calls, each drawn once, also of those that waited', async () => {
      const { gate, url } = await gated('shed', 1, { queueMs: 10_000, rejectShare: 0.5 });
      const all = times(60, () => call(url));
      await gate.arrived(1);
      await eventually(async () => {
        const { queued, rejected, inFlight } = await nodes().a.observed('shed');
        return queued + inFlight + (rejected.full ?? 0) === 60;
      }, 'all are decided');
      const { queued } = await nodes().a.observed('shed');
      gate.open();
      const answers = tally((await Promise.all(all)).map(({ status }) => `${status}`));
      expect(answers[200]).toBe(queued + 1);
    });

    it('keeps counting when plans change', async () => {
      const { gate, url } = await gated('counted', 10, {});
      gate.open();
      for (let index = 0; index < 3; index += 1) await call(url);
      const { a } = nodes();
      await a.apply(20, {
        counted: functionPlan([await a.replica('counted-2', gate.listener)]),
        another: functionPlan([]),
      });
      await call(url);
      expect(await a.observed('counted')).toMatchObject({ entered: 4, served: 4 });
    });
  });

  describe('names', () => {
    it('are matched whole, whatever others begin alike', async () => {
      const { a } = nodes();
      const names = ['f', 'f-1', 'f-1-x', 'f.1', 'F', 'f_1', 'ff'];
      const plans = await Promise.all(
        names.map(async (name, index) => [name, functionPlan([await a.replica(`n${index}`, saying(name))])] as const),
      );
      await a.apply(10, Object.fromEntries(plans));
      for (const name of names) {
        const whole = name.includes('.') ? `${name}.openfaas-fn` : name;
        expect(await call(`${a.url}/function/${whole}/deeper?q=1`)).toMatchObject({ status: 200, body: name });
        expect(await call(`${a.url}/function/${name}.openfaas-fn`)).toMatchObject({ status: 200, body: name });
      }
      for (const unknown of ['f-', 'f-2', 'fff', 'f.openfaas', 'f-1-', 'f.1.other']) {
        expect(await call(`${a.url}/function/${unknown}`)).toMatchObject({ status: 404, reason: 'unknown-function' });
      }
    });

    it('in another namespace are other functions, and unknown ones leave no trace', async () => {
      const { a } = nodes();
      await a.apply(10, { spaced: functionPlan([await a.replica('spaced', saying('here'))]) });
      expect((await call(`${a.url}/function/spaced.other`)).status).toBe(404);
      for (let index = 0; index < 20; index += 1) await call(`${a.url}/function/made-up-${index}`);
      expect(Object.keys((await a.plane.observe()).functions)).not.toContain('made-up-1.openfaas-fn');
    });
  });
};
