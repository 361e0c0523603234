import type { Reason } from '../domain/reason.ts';
import type { CallRecord } from '../telemetry/call-record.ts';
import type { Call } from './call.ts';
import { valueOf } from './headers.ts';

/** `now`: of both clocks, milliseconds. */
export const recordOf = (
  call: Call,
  status: number,
  reason: Reason | undefined,
  now: { readonly monotonic: number; readonly epoch: number },
): CallRecord => {
  const { request, body, startedAt } = call;
  const durationMs = now.monotonic - startedAt;
  const runMs = call.ranAt > 0 ? now.monotonic - call.ranAt : 0;
  return {
    callId: call.callId,
    functionName: call.key,
    method: request.method,
    path: pathOf(request.url),
    status,
    reason,
    from: call.address,
    fromPeer: call.from !== undefined,
    servedBy: call.servedBy,
    startedAt: now.epoch - durationMs,
    waitMs: durationMs - runMs,
    runMs,
    durationMs,
    bytesIn: body.kind === 'kept' ? body.bytes.length : call.bytesIn,
    bytesOut: call.bytesOut,
    traceparentIn: valueOf(request.rawHeaders, 'traceparent'),
    traceparentOut: call.traceparentOut,
  };
};

/** Of a request target, which may be a whole address. */
const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return path.startsWith('/') ? path : path.slice(Math.max(0, path.indexOf('/function/')));
};
