import { afterEach, expect, it } from 'vitest';
import type { CallRecord } from '../../telemetry/call-record.ts';
import type { Tracer } from '../../telemetry/tracer.ts';
import { call } from '../calls.testing.ts';
import { functionPlan, TestNode } from '../test-node.testing.ts';
import { openMemory } from './open.testing.ts';

const started: TestNode[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((node) => node.stop()));
});

/** Names each span after the node and counts. */
const tracerOf = (name: string): Tracer & { readonly ended: CallRecord[] } => {
  const ended: CallRecord[] = [];
  return {
    ended,
    begin: (incoming) => ({ outgoing: `${incoming ?? 'new'}>${name}` }),
    end: (record) => void ended.push(record),
  };
};

const start = async (name: string, tracer?: Tracer): Promise<TestNode> => {
  const node = await TestNode.start(name, (facts) => openMemory(facts, { tracer }));
  started.push(node);
  return node;
};

const sharing = async (a: TestNode, b: TestNode): Promise<string> => {
  const replica = await b.replica('traced', (request, response) => response.end(request.headers['traceparent']));
  await b.apply(4, { traced: functionPlan([replica]) }, [a.asPeer(4)]);
  await a.apply(4, { traced: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(4)]);
  return `${a.url}/function/traced`;
};

it('gives each call a span, whose name goes on to the peer and from there to the replica', async () => {
  const [first, second] = [tracerOf('a'), tracerOf('b')];
  const url = await sharing(await start('a', first), await start('b', second));
  expect((await call(url, { headers: { traceparent: 'given' } })).body).toBe('given>a>b');
  expect((await call(url)).body).toBe('new>a>b');
  expect(first.ended).toMatchObject([
    { traceparentIn: 'given', traceparentOut: 'given>a', status: 200, servedBy: 'b' },
    { traceparentIn: undefined, traceparentOut: 'new>a', fromPeer: false },
  ]);
  expect(second.ended).toMatchObject([{ traceparentIn: 'given>a', traceparentOut: 'given>a>b', fromPeer: true }, {}]);
});

it('tells of refused calls too, and of no call twice', async () => {
  const tracer = tracerOf('a');
  const node = await start('a', tracer);
  await node.apply(4, { none: functionPlan([]) });
  const answers = [
    await call(`${node.url}/function/none`),
    await call(`${node.url}/function/none`, { headers: { 'x-timeout': 'soon' } }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([503, 400]);
  expect(tracer.ended.map(({ reason }) => reason)).toEqual(['no-replica', 'bad-request']);
});

it('passes the context through as it came where nobody traces', async () => {
  const url = await sharing(await start('a'), await start('b'));
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  expect((await call(url, { headers: { traceparent } })).body).toBe(traceparent);
});
