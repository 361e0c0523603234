import { describe, expect, it } from 'vitest';
import { call, eventually, Gate, times } from './calls.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

/** What measured slots go by. */
export const capacityConformance = (nodes: () => { readonly a: TestNode; readonly b: TestNode }): void => {
  describe('what it counts for measured slots', () => {
    it.each([
      ['foundFull', 2, {}, { foundFull: 3, foundLimit: 0 }],
      ['foundLimit', 100, { maxInFlight: 2 }, { foundFull: 0, foundLimit: 3 }],
    ])('is who found no room, once each however long they wait: %s', async (name, slots, changes, found) => {
      const { a } = nodes();
      const gate = new Gate();
      const service = `count-${name.toLowerCase()}`;
      const replica = await a.replica(service, gate.listener);
      await a.apply(slots, { [service]: functionPlan([replica], { queueMs: 10_000, ...changes }) });
      const first = times(2, () => call(`${a.url}/function/${service}`));
      await gate.arrived(2);
      const others = times(3, () => call(`${a.url}/function/${service}`));
      await eventually(async () => (await a.observed(service)).queued === 3, 'three wait');
      gate.open();
      await Promise.all([...first, ...others]);
      expect(await a.observed(service)).toMatchObject({ ...found, ran: 5 });
    });

    it('is what a peer found no room for, too', async () => {
      const { a, b } = nodes();
      const gate = new Gate();
      const atB = functionPlan([await b.replica('count-peer', gate.listener)], { queueMs: 0 });
      await b.apply(1, { 'count-peer': atB }, [a.asPeer(1)]);
      const peers = [{ id: b.id, weight: 1 }];
      const atA = functionPlan([], { peers, queueMs: 0, policy: 'local-first' });
      await a.apply(1, { 'count-peer': atA }, [b.asPeer(50)]);
      const first = call(`${a.url}/function/count-peer`);
      await gate.arrived(1);
      expect((await call(`${a.url}/function/count-peer`)).status).toBe(503);
      expect(await b.observed('count-peer')).toMatchObject({ foundFull: 1 });
      gate.open();
      await first;
    });

    it('is how long runs took, and not those that were answered with an error', async () => {
      const { a } = nodes();
      const replica = await a.replica('count-time', (request, response) => {
        response.statusCode = request.url === '/wrong' ? 500 : 200;
        setTimeout(() => response.end(), request.url === '/wrong' ? 0 : 100);
      });
      await a.apply(10, { 'count-time': functionPlan([replica]) });
      await Promise.all(times(3, () => call(`${a.url}/function/count-time`)));
      await Promise.all(times(3, () => call(`${a.url}/function/count-time/wrong`)));
      const { ran, ranMs, served } = await a.observed('count-time');
      expect([ran, served]).toEqual([3, 6]);
      expect(ranMs).toBeGreaterThan(3 * 90);
    });

    it('is also what was cut off when its time ran out', async () => {
      const { a } = nodes();
      const gate = new Gate();
      const replica = await a.replica('count-late', gate.listener);
      await a.apply(10, { 'count-late': functionPlan([replica], { timeoutMs: 1_500 }) });
      expect((await call(`${a.url}/function/count-late`)).status).toBe(504);
      await eventually(async () => (await a.observed('count-late')).ran === 1, 'it is counted');
      expect((await a.observed('count-late')).ranMs).toBeGreaterThan(200);
      gate.open();
    });
  });
};
