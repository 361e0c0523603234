import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TraceReceiver, type ReceivedSpan } from '../../telemetry/otlp/receiver.testing.ts';
import { call, eventually, Gate } from '../calls.testing.ts';
import { functionPlan, TestNode } from '../test-node.testing.ts';
import { haproxyMayBeAbsent } from './is-there.testing.ts';
import { openHaproxy } from './open.testing.ts';

const given = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

describe.skipIf(haproxyMayBeAbsent())('traces with HAProxy', () => {
  let receiver: TraceReceiver;
  let nodes: readonly TestNode[] = [];

  beforeAll(async () => {
    receiver = await TraceReceiver.start();
    const { endpoint } = receiver;
    nodes = await Promise.all(
      [
        ['a', 1],
        ['b', 1],
        ['rare', 0],
      ].map(([name, sampleRatio]) =>
        TestNode.start(String(name), (facts) => openHaproxy(facts, { endpoint, sampleRatio: Number(sampleRatio) })),
      ),
    );
  }, 60_000);

  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await receiver.stop();
  });

  const spanOf = (callId: string, node: string): Promise<ReceivedSpan> =>
    receiver.until((spans) => spans.find((span) => span.node === node && span.attributes['skein.call_id'] === callId));
  const send = async (url: string, callId: string, traceparent?: string): Promise<string> => {
    const headers = { 'x-call-id': callId, ...(traceparent !== undefined && { traceparent }) };
    return (await call(url, { headers })).body;
  };
  const says = (node: TestNode, id: string) =>
    node.replica(id, (request, response) => response.end(request.headers['traceparent']));

  it('each call has a span, whose name goes on to the peer and from there to the replica', async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    await b.apply(4, { traced: functionPlan([await says(b, 'traced')]) }, [a.asPeer(4)]);
    await a.apply(4, { traced: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(4)]);
    const { traceId, spanId } = given;
    const heard = await send(`${a.url}/function/traced?q`, 'given', `00-${traceId}-${spanId}-01`);
    const [here, there] = [await spanOf('given', 'a'), await spanOf('given', 'b')];
    expect(here).toMatchObject({ traceId, parentSpanId: spanId, name: 'GET /function/traced.openfaas-fn' });
    expect(here.attributes).toMatchObject({ 'skein.peer': 'b', 'http.response.status_code': 200 });
    expect(there).toMatchObject({ traceId, parentSpanId: here.spanId });
    expect(there.attributes).toMatchObject({ 'skein.from_peer': a.id });
    expect(heard).toBe(`00-${traceId}-${there.spanId}-01`);
  });

  it('what is no traceparent begins a trace, here and where a call waits', async () => {
    const [a] = nodes as [TestNode];
    const gate = new Gate();
    const replica = await a.replica('gated', gate.listener);
    await a.apply(1, { gated: functionPlan([replica], { queueMs: 20_000 }) });
    const calls = [send(`${a.url}/function/gated`, 'runs'), send(`${a.url}/function/gated`, 'waits', '00-0-0-01')];
    await eventually(async () => (await a.observed('gated')).queued === 1, 'one waits');
    gate.open();
    await Promise.all(calls);
    const spans = [await spanOf('runs', 'a'), await spanOf('waits', 'a')];
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
    for (const { traceId, spanId, parentSpanId } of spans) {
      expect([traceId, spanId, parentSpanId]).toEqual([
        expect.stringMatching(/^[0-9a-f]{32}$/),
        expect.stringMatching(/^[0-9a-f]{16}$/),
        undefined,
      ]);
    }
  });

  it('traces that nobody wants kept are not told of, and travel on', async () => {
    const [a, , rare] = nodes as [TestNode, TestNode, TestNode];
    for (const node of [a, rare]) await node.apply(4, { plain: functionPlan([await says(node, 'plain')]) });
    const { traceId, spanId } = given;
    const unwanted = await send(`${a.url}/function/plain`, 'unwanted', `00-${traceId}-${spanId}-00`);
    expect(unwanted).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(await send(`${rare.url}/function/plain`, 'unlucky')).toMatch(/-00$/);
    await send(`${rare.url}/function/plain`, 'wanted', `00-${traceId}-${spanId}-01`);
    await send(`${a.url}/function/none`, 'refused');
    expect((await spanOf('refused', 'a')).attributes).toMatchObject({ 'skein.reason': 'unknown-function' });
    await spanOf('wanted', 'rare');
    const told = receiver.spans.map(({ attributes }) => attributes['skein.call_id']);
    expect(told).not.toContain('unwanted');
    expect(told).not.toContain('unlucky');
  });
});
