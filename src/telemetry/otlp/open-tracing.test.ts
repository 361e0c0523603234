import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { functionKey } from '../../domain/ids.ts';
import type { CallRecord } from '../call-record.ts';
import { callTracer } from '../call-spans.ts';
import type { Log } from '../log.ts';
import { parseTraceparent } from '../trace-context.ts';
import { openTracing, type Tracing, type TracingConfig } from './open-tracing.ts';
import { TraceReceiver } from './receiver.testing.ts';

const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
const kept = `00-${trace}-${span}-01`;

const record = (changes: Partial<CallRecord>): CallRecord => ({
  callId: 'c1',
  functionName: functionKey('echo'),
  method: 'POST',
  path: '/function/echo/deep',
  status: 200,
  reason: undefined,
  from: '127.0.0.1',
  fromPeer: false,
  servedBy: 'node-1',
  startedAt: 1_700_000_000_000,
  waitMs: 1.5,
  runMs: 2.25,
  durationMs: 3.75,
  bytesIn: 4,
  bytesOut: 5,
  traceparentIn: undefined,
  traceparentOut: undefined,
  ...changes,
});

let receiver: TraceReceiver;
let folder: string;
const opened: Tracing[] = [];
const lines: string[] = [];
const log: Log = {
  debug: () => undefined,
  info: (_, sentence) => void lines.push(sentence),
  warn: (fields, sentence) => void lines.push(`${sentence} ${JSON.stringify(fields)}`),
  error: (_, sentence) => void lines.push(sentence),
};

const open = async (config: Partial<TracingConfig> = {}): Promise<Tracing> => {
  const whole = { endpoint: receiver.endpoint, sampleRatio: 1, ...config };
  const tracing = await openTracing(whole, { nodeName: 'node-1', log });
  opened.push(tracing);
  return tracing;
};

const call = (tracing: Tracing, traceparentIn: string | undefined, changes: Partial<CallRecord> = {}): string => {
  const tracer = callTracer(tracing, 'node-1');
  const { outgoing } = tracer.begin(traceparentIn, undefined);
  tracer.end(record({ traceparentIn, traceparentOut: outgoing, ...changes }));
  return outgoing;
};

const counted = async (tracing: Tracing, name: string): Promise<number> => {
  type Metric = { readonly name: string; readonly values: readonly { readonly value: number }[] };
  const metric = ((await tracing.metrics()) as readonly Metric[]).find((one) => one.name === name);
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
};

beforeEach(async () => {
  receiver = await TraceReceiver.start();
  folder = await mkdtemp(join(tmpdir(), 'skein-otlp-'));
  lines.length = 0;
});

afterEach(async () => {
  for (const tracing of opened.splice(0)) await tracing.close(0);
  await receiver.stop();
  await rm(folder, { recursive: true });
});

describe('tracing over OTLP', () => {
  it('tells of a call under the span that its caller named', async () => {
    const tracing = await open();
    const outgoing = call(tracing, kept, { status: 502, reason: 'function-failed', servedBy: 'node-2' });
    await tracing.close(5_000);
    expect(receiver.spans).toMatchObject([
      {
        traceId: trace,
        spanId: parseTraceparent(outgoing)?.spanId,
        parentSpanId: span,
        name: 'POST /function/echo.openfaas-fn',
        kind: 2,
        failed: true,
        startedAt: 1_700_000_000_000,
        durationMs: 3.75,
        node: 'node-1',
        attributes: {
          'skein.function': 'echo',
          'skein.namespace': 'openfaas-fn',
          'skein.node': 'node-1',
          'skein.call_id': 'c1',
          'skein.reason': 'function-failed',
          'skein.peer': 'node-2',
          'skein.wait_ms': 1.5,
          'skein.run_ms': 2.25,
          'http.response.status_code': 502,
        },
      },
    ]);
    expect(await counted(tracing, 'skein_spans_exported_total')).toBe(1);
  });

  it('begins a trace where the caller named none, or nonsense', async () => {
    const tracing = await open();
    const begun = [undefined, '', 'nonsense', `00-${'0'.repeat(32)}-${span}-01`].map((text) => call(tracing, text));
    await tracing.close(5_000);
    expect(new Set(receiver.spans.map(({ traceId }) => traceId)).size).toBe(begun.length);
    expect(receiver.spans.map(({ parentSpanId }) => parentSpanId)).toEqual(begun.map(() => undefined));
    expect(receiver.spans.map(({ spanId }) => spanId)).toEqual(begun.map((text) => parseTraceparent(text)?.spanId));
  });

  it('leaves to whoever began a trace whether it is kept, and draws for those that begin here', async () => {
    const none = await open({ sampleRatio: 0 });
    const all = await open({ sampleRatio: 1 });
    expect(call(none, undefined)).toMatch(/-00$/);
    expect(call(none, kept)).toMatch(/-01$/);
    expect(call(all, `00-${trace}-${span}-00`)).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
    const half = await open({ sampleRatio: 0.5 });
    const drawn = Array.from({ length: 400 }, () => half.begin(undefined).outgoing.endsWith('-01'));
    const share = drawn.filter(Boolean).length / drawn.length;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.7);
    await Promise.all([none.close(5_000), all.close(5_000)]);
    expect(receiver.spans.map(({ parentSpanId }) => parentSpanId)).toEqual([span]);
  });

  it('sends the headers of a file that nobody else may read', async () => {
    const headersFile = join(folder, 'headers');
    await writeFile(headersFile, '# for the receiver\nAuthorization: Bearer s3cret\n\nX-Tenant:  a b \n', {
      mode: 0o600,
    });
    const tracing = await open({ headersFile });
    call(tracing, undefined);
    await tracing.close(5_000);
    expect(receiver.requests[0]).toMatchObject({ authorization: 'Bearer s3cret', 'x-tenant': 'a b' });

    await writeFile(headersFile, 'Bearer s3cret');
    await expect(open({ headersFile })).rejects.toThrow(/line 1 is no header/);
    await expect(open({ headersFile })).rejects.not.toThrow(/s3cret/);
    await chmod(headersFile, 0o644);
    await expect(open({ headersFile })).rejects.toThrow(/others may read/);
    await expect(open({ headersFile: join(folder, 'none') })).rejects.toThrow(/there is no/);
  });

  it('counts what a receiver does not take, and says so once until it takes some again', async () => {
    const tracing = await open();
    receiver.status = 400;
    for (const count of [1, 2]) {
      call(tracing, undefined);
      await receiver.until(() => (receiver.requests.length === count ? true : undefined));
    }
    receiver.status = 200;
    call(tracing, undefined);
    await receiver.until((spans) => spans[0]);
    await tracing.close(5_000);
    expect(await counted(tracing, 'skein_spans_dropped_total')).toBe(2);
    expect(await counted(tracing, 'skein_spans_exported_total')).toBe(1);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('could not be exported');
    expect(lines[1]).toBe('spans are exported again');
  });

  it('keeps no more spans than it has room for while nobody takes them', async () => {
    const tracing = await open({ endpoint: 'http://127.0.0.1:9/v1/traces' });
    for (let count = 0; count < 6_000; count++) call(tracing, undefined);
    expect(await counted(tracing, 'skein_spans_dropped_total')).toBe(6_000 - 4_096);
  });
});
