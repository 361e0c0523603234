import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { Counter, Registry } from 'prom-client';
import { messageOf } from '../../domain/errors.ts';
import type { Log } from '../log.ts';

/** `ExportResultCode.SUCCESS`, which the packages that we depend on do not export. */
const exportSucceeded = 0;
type Result = { readonly code: number; readonly error?: Error };

/** Spans that wait or are being sent; more are dropped. */
const maxSpans = 4_096;
const maxBatch = 512;
/** How long a span waits for others to go with. */
const gatherMs = 1_000;

/**
 * Sends spans in batches, one at a time. A receiver that is slow or away costs spans and nothing else: they are counted, and the
 * first failure of a row is logged.
 */
export class BoundedSender implements SpanProcessor {
  readonly #exporter: SpanExporter;
  readonly #log: Log;
  readonly #registry = new Registry();
  readonly #exported: Counter;
  readonly #dropped: Counter<'reason'>;
  #waiting: ReadableSpan[] = [];
  #sending = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #failing = false;

  constructor(exporter: SpanExporter, log: Log) {
    this.#exporter = exporter;
    this.#log = log;
    const registers = [this.#registry];
    this.#exported = new Counter({
      name: 'skein_spans_exported_total',
      help: 'Spans that the receiver of traces took.',
      registers,
    });
    this.#dropped = new Counter({
      name: 'skein_spans_dropped_total',
      help: 'Spans that were lost: too many waited, or the receiver did not take them.',
      labelNames: ['reason'] as const,
      registers,
    });
    for (const reason of ['full', 'refused']) this.#dropped.inc({ reason }, 0);
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length + this.#sending >= maxSpans) return this.#dropped.inc({ reason: 'full' });
    this.#waiting.push(span);
    if (this.#waiting.length >= maxBatch) this.#flush();
    else this.#flushLater();
  }

  metrics(): Promise<readonly unknown[]> {
    return this.#registry.getMetricsAsJSON();
  }

  async forceFlush(): Promise<void> {
    this.#flush();
    while (this.#flushing !== undefined) await this.#flushing;
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
    await this.#exporter.shutdown();
  }

  /** As `shutdown`, but gives up after `limitMs`. */
  async close(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.shutdown(), late]);
    clearTimeout(timer);
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => this.#flush(), gatherMs).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing ??= this.#sendAll().finally(() => {
      this.#flushing = undefined;
      if (this.#waiting.length > 0) this.#flushLater();
    });
  }

  async #sendAll(): Promise<void> {
    let taken = true;
    while (taken && this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, maxBatch);
      this.#waiting = this.#waiting.slice(maxBatch);
      this.#sending = batch.length;
      const error = await this.#send(batch);
      this.#sending = 0;
      taken = error === undefined;
      if (taken) this.#exported.inc(batch.length);
      else this.#dropped.inc({ reason: 'refused' }, batch.length);
      this.#tell(error);
    }
  }

  /** Why it was not taken. */
  #send(batch: ReadableSpan[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      try {
        this.#exporter.export(batch, ({ code, error }: Result) => {
          resolve(code === exportSucceeded ? undefined : messageOf(error ?? 'the receiver did not take them'));
        });
      } catch (error) {
        resolve(messageOf(error));
      }
    });
  }

  #tell(why: string | undefined): void {
    if (why !== undefined && !this.#failing)
      this.#log.warn({ why }, 'spans could not be exported; more that fail are counted only');
    if (why === undefined && this.#failing) this.#log.info({}, 'spans are exported again');
    this.#failing = why !== undefined;
  }
}
