import { Counter, Histogram, Registry } from 'prom-client';

/** One answer of the control API. `path` is a pattern, never what a client wrote. */
export type ApiAnswer = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly seconds: number;
};

export type ApiInstruments = {
  answered(answer: ApiAnswer): void;
  /** In the form of prom-client's `getMetricsAsJSON`: a source of `serveMetrics`. */
  metrics(): Promise<readonly unknown[]>;
};

const labelNames = ['code', 'method', 'path'] as const;
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What OpenFaaS' providers count of `/system/*`, under their names. */
export const apiInstruments = (): ApiInstruments => {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'provider_http_requests_total',
    help: 'The total number of HTTP requests.',
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: 'provider_http_request_duration_seconds',
    help: 'Seconds spent serving HTTP requests.',
    labelNames,
    registers,
  });
  return {
    answered: ({ method, path, status, seconds: took }) => {
      const labels = { code: String(status), method: methods.has(method) ? method : 'other', path };
      requests.inc(labels);
      seconds.observe(labels, took);
    },
    metrics: () => registry.getMetricsAsJSON(),
  };
};
