import type { TraceStart } from './tracer.ts';

/**
 * Where spans are given. A span is begun before there is anything to tell of it, so that what it leads to can name it as
 * its parent, and told of once, when it has ended. Neither throws nor waits for anybody.
 */
export type Spans = {
  /** A new span: of the trace that `traceparent` names, or of a new one where that is none. */
  begin(traceparent: string | undefined, tracestate?: string): TraceStart;
  end(span: EndedSpan): void;
};

export type EndedSpan = {
  readonly name: string;
  /** Of OpenTelemetry: who asked waits for it (`server`), or does not and gave it (`producer`) or takes it (`consumer`). */
  readonly kind: 'server' | 'producer' | 'consumer';
  /** As it was given to `begin`. */
  readonly traceparentIn: string | undefined;
  /** What `begin` answered. */
  readonly traceparentOut: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly failed: boolean;
  /** Those that are undefined are left out. */
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
};
