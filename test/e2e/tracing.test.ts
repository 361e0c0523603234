import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseTraceparent } from '../../src/telemetry/trace-context.ts';
import { TraceReceiver, type ReceivedSpan } from '../../src/telemetry/otlp/receiver.testing.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, temporaryFolder } from './federation.fixture.ts';
import { until } from './until.ts';

const caller = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const traceparent = `00-${caller.trace}-${caller.span}-01`;

let bundles: Bundles;
let receiver: TraceReceiver;
let federation: Federation;
let folder: string;

beforeAll(async () => {
  bundles = await Bundles.build('mirror');
  receiver = await TraceReceiver.start();
  folder = temporaryFolder();
  const headersFile = join(folder, 'headers');
  writeFileSync(headersFile, 'X-Tenant: geese\n', { mode: 0o600 });
  federation = await Federation.start({
    slots: [4, 4],
    flags: ['--tracing-endpoint', receiver.endpoint, '--tracing-headers-file', headersFile],
  });
  // At node-2 alone, so that calls at node-1 pass through both.
  await federation.deployAs(bundles, { service: 'there', image: 'mirror', constraints: ['skein.node==node-2'] });
  await until('both answer', async () => {
    const calls = await Promise.all(federation.nodes.map((node) => node.call('there')));
    return calls.every(({ status }) => status === 200);
  });
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
  await receiver?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

const ofCall =
  (id: string) =>
  (spans: readonly ReceivedSpan[]): readonly ReceivedSpan[] =>
    spans.filter(({ attributes }) => attributes['skein.call_id'] === id);

/** What the replica was told. */
const seen = async (answer: Response): Promise<Readonly<Record<string, string>>> =>
  ((await answer.json()) as { readonly headers: Readonly<Record<string, string>> }).headers;

test('a call over two nodes is one trace: a span at each, under its caller’s, and the replica is told the last', async () => {
  const headers = { traceparent, tracestate: 'geese=7', 'x-call-id': 'traced-1' };
  const told = await seen(await federation.node(1).call('there?secret=query', { headers }));
  const [first, second] = await receiver.until((spans) => {
    const mine = ofCall('traced-1')(spans);
    const at = (name: string) => mine.find(({ node }) => node === name);
    const both = [at('node-1'), at('node-2')] as const;
    return both[0] && both[1] ? ([both[0], both[1]] as const) : undefined;
  });
  expect(first).toMatchObject({ traceId: caller.trace, parentSpanId: caller.span, kind: 2, failed: false });
  expect(second).toMatchObject({ traceId: caller.trace, parentSpanId: first.spanId, kind: 2, failed: false });
  expect(parseTraceparent(told['traceparent'])).toEqual({
    traceId: caller.trace,
    spanId: second.spanId,
    sampled: true,
  });
  expect(told['tracestate']).toBe('geese=7');
  expect(first.attributes).toMatchObject({
    'skein.function': 'there',
    'skein.namespace': 'openfaas-fn',
    'skein.node': 'node-1',
    'skein.served_by': 'node-2',
    'skein.peer': 'node-2',
    'http.response.status_code': 200,
  });
  expect(second.attributes).toMatchObject({ 'skein.node': 'node-2', 'skein.served_by': 'node-2' });
  expect(second.attributes['skein.peer']).toBeUndefined();
  expect(first.startedAt).toBeLessThanOrEqual(second.startedAt + 1);
  expect(first.durationMs).toBeGreaterThan(0);
  expect(JSON.stringify([first, second])).not.toContain('secret');
  expect(receiver.requests.every((sent) => sent['x-tenant'] === 'geese')).toBe(true);
});

test('a call that nobody traced begins a trace, and one that is not to be kept leaves none', async () => {
  const begun = parseTraceparent((await seen(await federation.node(1).call('there')))['traceparent']);
  expect(begun?.sampled).toBe(true);
  const root = await receiver.until((spans) =>
    spans.find(({ traceId, node }) => traceId === begun?.traceId && node === 'node-1'),
  );
  expect(root.parentSpanId).toBeUndefined();

  const dropped = `00-${'c'.repeat(32)}-${caller.span}-00`;
  const headers = { traceparent: dropped };
  const told = parseTraceparent((await seen(await federation.node(1).call('there', { headers })))['traceparent']);
  expect(told).toMatchObject({ traceId: 'c'.repeat(32), sampled: false });
  // A later call of the same nodes was exported, so this one would have been before it.
  await federation.node(1).call('there', { headers: { 'x-call-id': 'after' } });
  await receiver.until((spans) => (ofCall('after')(spans).length === 2 ? true : undefined));
  expect(receiver.spans.filter(({ traceId }) => traceId === 'c'.repeat(32))).toEqual([]);
});

test('a call that the platform ended says why in its span', async () => {
  const headers = { 'x-call-id': 'refused', 'x-timeout': '100ms' };
  expect((await federation.node(1).call('there?wait', { headers })).status).toBe(504);
  const span = await receiver.until((spans) => ofCall('refused')(spans).find(({ node }) => node === 'node-1'));
  expect(span.attributes).toMatchObject({ 'http.response.status_code': 504, 'skein.reason': 'timeout' });
  expect(span.failed).toBe(true);
});

test('an asynchronous call goes on with the trace of whoever asked for it', async () => {
  const [node] = federation.nodes;
  const headers = { traceparent, 'x-call-id': 'later' };
  const answer = await fetch(`${node!.url}/async-function/there`, { method: 'POST', headers, body: 'x' });
  expect([answer.status, answer.headers.get('x-call-id')]).toEqual([202, 'later']);
  const span = (kind: number, name: string, parent: string): Promise<ReceivedSpan> =>
    receiver.until((all) =>
      ofCall('later')(all).find((one) => one.kind === kind && one.node === name && one.parentSpanId === parent),
    );
  const accepted = await span(4, 'node-1', caller.span);
  const attempt = await span(5, 'node-1', accepted.spanId);
  const first = await span(2, 'node-1', attempt.spanId);
  const second = await span(2, 'node-2', first.spanId);
  for (const { traceId } of [accepted, attempt, first, second]) expect(traceId).toBe(caller.trace);
  expect(attempt.attributes).toMatchObject({ 'skein.attempt': 1, 'http.response.status_code': 200 });
});

test('what is exported is counted, and nothing of the receiver’s secrets is written down', async () => {
  const text = await (await fetch(federation.node(1).metricsUrl)).text();
  expect(Number(/^skein_spans_exported_total (\d+)/m.exec(text)?.[1])).toBeGreaterThan(0);
  expect(federation.nodes.map((node) => node.log()).join()).not.toContain('geese');
});
