import type { CallRecord } from './call-record.ts';

/**
 * Makes spans of calls. Handed to the data plane where tracing is configured; without one `traceparent` passes through
 * as it came. Both methods are called once for each call, must not throw, and must not take long.
 */
export type Tracer = {
  /** The head of a call is here, with these W3C headers as they came (unchecked text of a stranger). */
  begin(traceparent: string | undefined, tracestate: string | undefined): TraceStart;
  /** The call has ended. `traceparentOut` is what `begin` answered as `outgoing`, so it tells which call this is. */
  end(record: CallRecord): void;
};

export type TraceStart = {
  /** `traceparent` for the peer or the replica: the same trace, with the span of this call as the parent. */
  readonly outgoing: string;
};
