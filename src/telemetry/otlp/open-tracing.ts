import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { readSecret } from '../../membership/secret-file.ts';
import type { Log } from '../log.ts';
import type { EndedSpan, Spans } from '../spans.ts';
import { formatTraceparent, parseTraceparent, type TraceContext } from '../trace-context.ts';
import { parseHeaders } from './parse-headers.ts';
import { BoundedSender } from './bounded-sender.ts';

export type TracingConfig = {
  /** OTLP over HTTP, with its path: `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string;
  /** The part of the traces that begin here and are kept, 0..1. For others whoever began them decides. */
  readonly sampleRatio: number;
  /** A file, for this user alone, with the headers that the receiver asks for: `Name: value` on each line. */
  readonly headersFile?: string | undefined;
};

export type TracingNeeds = { readonly nodeName: string; readonly log: Log };

export type Tracing = Spans & {
  /** In the form of prom-client's `getMetricsAsJSON`. */
  metrics(): Promise<readonly unknown[]>;
  /** Sends what waits, for at most `limitMs`. */
  close(limitMs: number): Promise<void>;
};

/**
 * Exports spans with OpenTelemetry's SDK. This module is big: it is imported where tracing is configured only. `invalid` for a file of
 * headers that cannot be used; a receiver that does not answer is no error, it is logged and counted.
 */
export const openTracing = async (config: TracingConfig, needs: TracingNeeds): Promise<Tracing> => {
  const { endpoint, headersFile } = config;
  const what = 'the headers for the receiver of traces';
  const headers = headersFile === undefined ? {} : parseHeaders(await readSecret(headersFile, what), headersFile);
  const sender = new BoundedSender(new OTLPTraceExporter({ url: endpoint, headers, timeoutMillis: 10_000 }), needs.log);
  const ids = new RandomIdGenerator();
  const root = new TraceIdRatioBasedSampler(config.sampleRatio);
  // A span is made when it has ended, so that one whose end nobody tells costs nothing. Its ids were given before.
  let self: TraceContext = { traceId: '', spanId: '', sampled: false };
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => self.traceId, generateSpanId: () => self.spanId },
    spanProcessors: [sender],
    spanLimits: { attributeCountLimit: 32, attributeValueLengthLimit: 1024 },
    resource: resourceFromAttributes({ 'service.name': 'skein', 'service.instance.id': needs.nodeName }),
  });
  const tracer = provider.getTracer('skein');

  const isKept = (traceId: string): boolean =>
    root.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;

  return {
    begin: (traceparent) => {
      const parent = parseTraceparent(traceparent);
      const traceId = parent?.traceId ?? ids.generateTraceId();
      const sampled = parent?.sampled ?? isKept(traceId);
      return { outgoing: formatTraceparent({ traceId, spanId: ids.generateSpanId(), sampled }) };
    },
    end: (span) => {
      const own = parseTraceparent(span.traceparentOut);
      if (own === undefined || !own.sampled) return;
      self = own;
      const { name, startedAt, durationMs, attributes } = span;
      const options = { kind: kinds[span.kind], startTime: timeOf(startedAt), attributes: present(attributes) };
      const made = tracer.startSpan(name, options, parentOf(span));
      if (span.failed) made.setStatus({ code: SpanStatusCode.ERROR });
      made.end(timeOf(startedAt + durationMs));
    },
    metrics: () => sender.metrics(),
    close: (limitMs) => sender.close(limitMs),
  };
};

const kinds: Record<EndedSpan['kind'], SpanKind> = {
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const parentOf = ({ traceparentIn }: EndedSpan): Context => {
  const parent = parseTraceparent(traceparentIn);
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, sampled } = parent;
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
};

/** Seconds and nanoseconds: a `Date` would cut off what is below a millisecond. */
const timeOf = (ms: number): [number, number] => {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1_000_000)];
};

const present = (attributes: EndedSpan['attributes']): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
