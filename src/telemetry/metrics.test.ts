import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { functionKey } from '../domain/ids.ts';
import { ManualClock, systemClock } from '../std/clock.ts';
import { agentInstruments } from './agent-instruments.ts';
import { silentLog } from './log.ts';
import { serveMetrics } from './metrics.ts';
import type { MetricsServer, MetricSource } from './metrics.ts';
import { planeInstruments } from './plane-instruments.ts';

let server: MetricsServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

const listen = { host: '127.0.0.1', port: 0 };

const serve = async (...sources: readonly MetricSource[]): Promise<MetricsServer> => {
  server = await serveMetrics({ listen, sources, clock: systemClock, log: silentLog });
  return server;
};

const get = (port: number, path: string, method = 'GET') =>
  new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, agent: false }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (body += chunk));
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, type: incoming.headers['content-type'] ?? '', body }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });

const source = (name: string, metrics: () => Promise<readonly unknown[]>): MetricSource => ({ name, metrics });
/** As if it came from another process. */
const wired = (name: string, metrics: () => Promise<readonly unknown[]>): MetricSource =>
  source(name, async () => JSON.parse(JSON.stringify(await metrics())) as unknown[]);

const figlet = functionKey('figlet');

describe('the metrics of a node', () => {
  it("shows both processes' instruments under OpenFaaS' names", async () => {
    const plane = planeInstruments({ inFlight: () => 3 });
    const agent = agentInstruments();
    const meter = plane.meter(figlet);
    for (const status of [200, 200, 503]) {
      meter.started();
      meter.finished(status, 0.02);
    }
    meter.forwarded('node-2');
    meter.rejected('full');
    plane.unknownFunction();
    agent.replicas([[figlet, 2]]);
    agent.slots(4);
    agent.viewAges([['node-2', 0.5]]);
    agent.planChanged();
    agent.coldStart(0.03);
    agent.usage({ cpuRatio: 0.25, memoryUsedBytes: 1000, memoryTotalBytes: 2000 });

    const { port } = await serve(source('agent', agent.metrics), wired('data plane', plane.metrics));
    const { status, type, body } = await get(port, '/metrics');
    expect(status).toBe(200);
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = body.split('\n');
    for (const line of [
      'gateway_function_invocation_started{function_name="figlet.openfaas-fn"} 3',
      'gateway_function_invocation_total{function_name="figlet.openfaas-fn",code="200"} 2',
      'gateway_function_invocation_total{function_name="figlet.openfaas-fn",code="503"} 1',
      'gateway_functions_seconds_bucket{le="0.025",function_name="figlet.openfaas-fn",code="200"} 2',
      'gateway_functions_seconds_count{function_name="figlet.openfaas-fn",code="200"} 2',
      'gateway_service_count{function_name="figlet.openfaas-fn"} 2',
      'skein_requests_forwarded_total{function_name="figlet.openfaas-fn",peer="node-2"} 1',
      'skein_requests_rejected_total{function_name="figlet.openfaas-fn",reason="full"} 1',
      'skein_requests_rejected_total{function_name="",reason="unknown-function"} 1',
      'skein_requests_in_flight 3',
      'skein_capacity_slots 4',
      'skein_view_age_seconds{peer="node-2"} 0.5',
      'skein_plan_changes_total 1',
      'skein_cold_start_seconds_bucket{le="0.05"} 1',
      'skein_node_cpu_ratio 0.25',
      'skein_node_memory_bytes 1000',
    ]) {
      expect(lines).toContain(line);
    }
    expect(body).toMatch(/^process_cpu_seconds_total \d/m);
    expect(body).toMatch(/^process_start_time_seconds \d/m);
  });

  it('adds up equal series of two processes', async () => {
    const one = planeInstruments({ inFlight: () => 1 });
    const two = planeInstruments({ inFlight: () => 2 });
    for (const plane of [one, two]) plane.meter(figlet).finished(200, 1);
    const { port } = await serve(wired('one', one.metrics), wired('two', two.metrics));
    const { body } = await get(port, '/metrics');
    expect(body).toContain('gateway_function_invocation_total{function_name="figlet.openfaas-fn",code="200"} 2\n');
    expect(body).toContain('gateway_functions_seconds_sum{function_name="figlet.openfaas-fn",code="200"} 2\n');
    expect(body).toContain('skein_requests_in_flight 3\n');
  });

  it('leaves out a source that fails or hands over nonsense, and shows the rest', async () => {
    const plane = planeInstruments({ inFlight: () => 7 });
    const nonsense = [[{}], [1], 'x', null, [{ name: 'a b', type: 'gauge', values: 5, aggregator: 'sum' }]];
    const { port } = await serve(
      source('good', plane.metrics),
      source('broken', () => Promise.reject(new Error('gone'))),
      ...nonsense.map((value, index) => source(`nonsense ${index}`, async () => value as unknown[])),
    );
    const { status, body } = await get(port, '/metrics');
    expect(status).toBe(200);
    expect(body).toContain('skein_requests_in_flight 7');
  });

  it('does not wait for a source that hangs', async () => {
    const clock = new ManualClock();
    let asked = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const hanging = source('hanging', () => {
      asked();
      return new Promise<never>(() => {});
    });
    server = await serveMetrics({ listen, sources: [hanging], clock, log: silentLog });
    const scrape = get(server.port, '/metrics');
    await waiting;
    clock.advance(2_000);
    expect(await scrape).toMatchObject({ status: 200 });
  });

  it('answers only for its two paths', async () => {
    const { port } = await serve();
    expect(await get(port, '/healthz')).toMatchObject({ status: 200, body: 'OK' });
    expect(await get(port, '/metrics?x=1')).toMatchObject({ status: 200 });
    expect(await get(port, '/system/functions')).toMatchObject({ status: 404, body: '404 page not found\n' });
    expect(await get(port, '/metrics', 'POST')).toMatchObject({ status: 405, body: '' });
  });

  it('says which address it could not have', async () => {
    const { port } = await serve();
    const again = serveMetrics({ listen: { ...listen, port }, sources: [], clock: systemClock, log: silentLog });
    await expect(again).rejects.toThrow(`port ${port} (metrics) is in use`);
  });
});

describe('series', () => {
  it('end with the function, also when one of its calls ends later', async () => {
    const plane = planeInstruments({ inFlight: () => 0 });
    const meter = plane.meter(figlet);
    meter.started();
    meter.finished(200, 1);
    meter.forwarded('node-2');
    meter.rejected('full');
    plane.meter(functionKey('kept')).started();
    plane.retain([functionKey('kept')]);
    meter.finished(200, 1);
    meter.rejected('timeout');
    const text = JSON.stringify(await plane.metrics());
    expect(text).not.toContain('figlet');
    expect(text).toContain('kept.openfaas-fn');

    plane.meter(figlet).started();
    expect(JSON.stringify(await plane.metrics())).toContain('figlet');
  });

  it('are bounded whatever status a function invents and however many peers there are', async () => {
    const plane = planeInstruments({ inFlight: () => 0 });
    const meter = plane.meter(figlet);
    for (let index = 0; index < 3000; index++) {
      meter.finished(index, 0.001);
      meter.forwarded(`peer-${index}`);
    }
    const count = (await plane.metrics()).flatMap((metric) => (metric as { values: unknown[] }).values).length;
    expect(count).toBeLessThan(501 * 15 + 600);
  });

  it('of peers and functions that are gone are not shown', async () => {
    const agent = agentInstruments();
    agent.viewAges([['node-2', 1]]);
    agent.replicas([[figlet, 1]]);
    agent.viewAges([['node-3', 1]]);
    agent.replicas([]);
    const text = JSON.stringify(await agent.metrics());
    expect(text).not.toContain('node-2');
    expect(text).not.toContain('figlet');
    expect(text).toContain('node-3');
  });
});
