import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AggregatorRegistry, Registry } from 'prom-client';
import type { MetricObject } from 'prom-client';
import { cannotListen, type WantedPort } from '../domain/cannot-listen.ts';
import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from './log.ts';

/** Where instruments come from: this process' own, and the data plane's as it hands them over. */
export type MetricSource = {
  /** For logs. */
  readonly name: string;
  /** In the form of prom-client's `getMetricsAsJSON`. */
  readonly metrics: () => Promise<readonly unknown[]>;
};

export type MetricsNeeds = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly sources: readonly MetricSource[];
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Log;
};

export type MetricsServer = {
  /** As bound. */
  readonly port: number;
  close(): Promise<void>;
};

/** A source that takes longer is left out of the answer. */
const sourceMs = 2_000;

/**
 * Serves `/metrics` in Prometheus' text format, all sources merged (equal series are added up), and `/healthz`. A source
 * that fails is logged and left out. `unavailable` when the port is in use.
 */
export const serveMetrics = async (needs: MetricsNeeds): Promise<MetricsServer> => {
  let scrape: Promise<string> | undefined;
  const text = (): Promise<string> => {
    // Scrapes that overlap share one reading, so that many of them cost no more than one.
    scrape ??= mergedText(needs).finally(() => {
      scrape = undefined;
    });
    return scrape;
  };
  const server = createServer((request, response) => {
    answer(text, request, response).catch((error: unknown) => {
      needs.log.error({ error }, 'reading the metrics failed');
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(needs.listen.host, wantedPort(needs.listen.port), cause)));
    server.listen(needs.listen.port, needs.listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const answer = async (
  text: () => Promise<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const path = (request.url ?? '').split('?')[0];
  if (path !== '/metrics' && path !== '/healthz') {
    response.writeHead(404, plainText).end('404 page not found\n');
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else if (path === '/healthz') {
    response.writeHead(200, plainText).end('OK');
  } else {
    response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(await text());
  }
};

const plainText = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };

const mergedText = async (needs: MetricsNeeds): Promise<string> => {
  const read = await Promise.all(needs.sources.map((source) => readSource(source, needs)));
  // prom-client drops instruments that it cannot add up (a process' start time); the first source's are kept instead.
  const kept = read.map((metrics) =>
    metrics.map((metric) => (metric.aggregator === 'omit' ? { ...metric, aggregator: 'first' as const } : metric)),
  );
  return AggregatorRegistry.aggregate(kept).metrics();
};

/** Checked by merging it alone: one bad source must not spoil the others. */
const readSource = async (source: MetricSource, needs: MetricsNeeds): Promise<MetricObject[]> => {
  let cancel = (): void => {};
  const late = new Promise<never>((_resolve, reject) => {
    cancel = needs.clock.after(sourceMs, () => reject(new SkeinError('timeout', `no answer in ${sourceMs} ms`)));
  });
  try {
    const metrics = (await Promise.race([source.metrics(), late])) as MetricObject[];
    await AggregatorRegistry.aggregate([metrics]).metrics();
    return metrics;
  } catch (error) {
    needs.log.warn({ source: source.name, code: codeOf(error), reason: messageOf(error) }, 'metrics left out');
    return [];
  } finally {
    cancel();
  }
};

const wantedPort = (port: number): WantedPort => ({ port, purpose: 'metrics', setting: 'metrics.listen' });
