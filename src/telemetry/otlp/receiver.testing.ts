import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as OTLP's JSON tells it, its attributes as a record. */
export type ReceivedSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly failed: boolean;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Of the resource. */
  readonly node: string;
};

type Value = { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number };
type Attribute = { readonly key: string; readonly value: Value };
type RawSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly status?: { readonly code?: number };
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
};
type Batch = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
};

/** A receiver of traces: OTLP over HTTP, JSON, on a port of its own. */
export class TraceReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: IncomingHttpHeaders[] = [];
  /** What it answers. */
  status = 200;
  readonly #server: Server;
  #wake = Promise.withResolvers<void>();

  private constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        this.requests.push(request.headers);
        if (this.status === 200 && request.url === '/v1/traces') this.spans.push(...spansOf(JSON.parse(text) as Batch));
        response.writeHead(request.url === '/v1/traces' ? this.status : 404, { 'content-type': 'application/json' });
        response.end('{}');
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      });
    });
  }

  static async start(): Promise<TraceReceiver> {
    const receiver = new TraceReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Resolves with what `find` finds, now or after a request to come. */
  async until<Found>(find: (spans: readonly ReceivedSpan[]) => Found | undefined): Promise<Found> {
    for (;;) {
      const woken = this.#wake.promise;
      const found = find(this.spans);
      if (found !== undefined) return found;
      await woken;
    }
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const spansOf = ({ resourceSpans }: Batch): readonly ReceivedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const node = String(recordOf(resource.attributes)['service.instance.id']);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => received(span, node)));
  });

const received = (span: RawSpan, node: string): ReceivedSpan => {
  const startedAt = Number(span.startTimeUnixNano) / 1e6;
  const { traceId, spanId, parentSpanId, name, kind } = span;
  return {
    ...{ traceId, spanId, parentSpanId: parentSpanId === '' ? undefined : parentSpanId, name, kind, node, startedAt },
    failed: span.status?.code === 2,
    durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
    attributes: recordOf(span.attributes),
  };
};

const recordOf = (attributes: readonly Attribute[]): Record<string, string | number> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? value.doubleValue)]),
  );
