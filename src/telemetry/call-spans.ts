import { splitFunctionKey } from '../domain/ids.ts';
import type { CallRecord } from './call-record.ts';
import type { EndedSpan, Spans } from './spans.ts';
import type { Tracer } from './tracer.ts';

/** One span for each call at this node. Of its path only the function is told: the rest may hold what is nobody's business. */
export const callTracer = (spans: Spans, nodeName: string): Tracer => ({
  begin: (traceparent, tracestate) => spans.begin(traceparent, tracestate),
  end: (record) => {
    const { traceparentOut } = record;
    if (traceparentOut !== undefined) spans.end(spanOf({ ...record, traceparentOut }, nodeName));
  },
});

const spanOf = (record: CallRecord & { readonly traceparentOut: string }, nodeName: string): EndedSpan => {
  const { name, namespace } = splitFunctionKey(record.functionName);
  const { status, servedBy } = record;
  return {
    name: `${record.method} /function/${record.functionName}`,
    kind: 'server',
    traceparentIn: record.traceparentIn,
    traceparentOut: record.traceparentOut,
    startedAt: record.startedAt,
    durationMs: record.durationMs,
    failed: status >= 500,
    attributes: {
      'http.request.method': record.method,
      'http.route': `/function/${record.functionName}`,
      'http.response.status_code': status,
      'http.request.body.size': record.bytesIn,
      'http.response.body.size': record.bytesOut,
      'skein.function': name,
      'skein.namespace': namespace,
      'skein.node': nodeName,
      'skein.call_id': record.callId,
      'skein.reason': record.reason,
      'skein.served_by': servedBy,
      'skein.peer': servedBy === nodeName ? undefined : servedBy,
      'skein.from_peer': record.fromPeer ? record.from : undefined,
      'skein.wait_ms': record.waitMs,
      'skein.run_ms': record.runMs,
    },
  };
};
