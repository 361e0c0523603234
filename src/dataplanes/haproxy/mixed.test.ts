import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, echo, saying, times } from '../calls.testing.ts';
import { functionPlan, TestNode, type OpenPlane } from '../test-node.testing.ts';
import { openMemory } from '../memory/open.testing.ts';
import { haproxyMayBeAbsent } from './is-there.testing.ts';
import { openHaproxy } from './open.testing.ts';

/** Nodes of one federation may have planes of different kinds. */
describe.skipIf(haproxyMayBeAbsent()).each<[string, OpenPlane, OpenPlane]>([
  ['HAProxy sends to Skein’s own plane', openHaproxy, openMemory],
  ['Skein’s own plane sends to HAProxy', openMemory, openHaproxy],
])('%s', (_name, openSender, openOthers) => {
  let nodes: readonly TestNode[] = [];
  beforeAll(async () => {
    nodes = [
      await TestNode.start('a', openSender),
      await TestNode.start('b', openOthers),
      await TestNode.start('c', openOthers),
    ];
  }, 60_000);
  afterAll(() => Promise.all(nodes.map((node) => node.stop())), 60_000);
  const all = () => nodes as [TestNode, TestNode, TestNode];

  it.each([0, 10, 3_000_000])('a body of %i bytes', async (length) => {
    const [a, b] = all();
    const body = randomBytes(length);
    await b.apply(4, { there: functionPlan([await b.replica(`there-${length}`, echo)]) }, [a.asPeer(4)]);
    await a.apply(4, { there: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(4)]);
    const answer = await call(`${a.url}/function/there`, { body });
    expect([answer.status, answer.node, answer.body === body.toString('latin1')]).toEqual([200, 'b', true]);
    expect(await a.observed('there')).toMatchObject({ forwarded: { [b.id]: expect.any(Number) as number } });
  });

  it.each([10, 3_000_000])('what one refuses goes to another, %i bytes whole', async (length) => {
    const [a, b, c] = all();
    const body = randomBytes(length);
    const closed = functionPlan([await b.replica(`closed-${length}`, saying('no'))], {
      admission: { peers: {}, others: { kind: 'in-flight', count: 0 } },
    });
    await b.apply(4, { [`refused-${length}`]: closed }, [a.asPeer(4)]);
    const open = functionPlan([await c.replica(`open-${length}`, echo)]);
    await c.apply(4, { [`refused-${length}`]: open }, [a.asPeer(4)]);
    const peers = [
      { id: b.id, weight: 1 },
      { id: c.id, weight: 1 },
    ];
    const away = functionPlan([], { policy: 'ranked', peers });
    await a.apply(4, { [`refused-${length}`]: away }, [b.asPeer(4), c.asPeer(4)]);
    const answer = await call(`${a.url}/function/refused-${length}`, { body });
    expect([answer.status, answer.node, answer.body === body.toString('latin1')]).toEqual([200, 'c', true]);
    expect((await b.observed(`refused-${length}`)).rejected).toEqual({ full: 1 });
  });

  it('a function’s own 503 is its answer, and it runs once', async () => {
    const [a, b, c] = all();
    let runs = 0;
    const broken = (at: TestNode) =>
      at.replica('own-503', (_request, response) => {
        runs += 1;
        response.writeHead(503).end('mine');
      });
    for (const node of [b, c]) await node.apply(4, { own: functionPlan([await broken(node)]) }, [a.asPeer(4)]);
    const peers = [
      { id: b.id, weight: 1 },
      { id: c.id, weight: 1 },
    ];
    await a.apply(4, { own: functionPlan([], { policy: 'ranked', peers }) }, [b.asPeer(4), c.asPeer(4)]);
    const answers = await Promise.all(times(3, () => call(`${a.url}/function/own`, { body: 'x' })));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(times(3, () => [503, 'mine']));
    expect(runs).toBe(3);
  });
});
