import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('burn');
  // No queue: one that starts together with its replicas is patient for seconds, and would absorb the whole load.
  federation = await Federation.start({ slots: [2, 4], flags: ['--queue-ms', '0'] });
  await federation.deploy(bundles, 'burn');
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

const scrape = async ({ metricsUrl }: TestNode): Promise<readonly Sample[]> => {
  const text = await (await fetch(metricsUrl)).text();
  return text
    .split('\n')
    .map((line) => /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name, labels = '', value]) => ({
      name: name!,
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map((pair) => [pair[1]!, pair[2]!])),
      value: Number(value),
    }));
};

const sum = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number =>
  samples
    .filter((one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((total, { value }) => total + value, 0);

test('the metrics of a node tell of the load it had, under the names that others rely on', async () => {
  const [one, two] = [federation.node(1), federation.node(2)];
  const before = await scrape(one);
  const result = await runLoad({ target: `${one.url}/function/burn?sleep=250`, rate: 40, durationMs: 3_000 });
  expect(result.statuses['503']).toBeGreaterThan(0);
  expect(result.nodes['node-2']?.served).toBeGreaterThan(0);
  await fetch(`${one.url}/function/nobody`);
  const here = await until('nothing is in flight', async () => {
    const samples = await scrape(one);
    return sum(samples, 'skein_requests_in_flight') === 0 && samples;
  });

  const burn = { function_name: 'burn.openfaas-fn' };
  const grown = (name: string, labels: Readonly<Record<string, string>>): number =>
    sum(here, name, labels) - sum(before, name, labels);
  expect(grown('gateway_function_invocation_started', burn)).toBe(result.sent);
  expect(grown('gateway_function_invocation_total', { ...burn, code: '200' })).toBe(result.succeeded);
  expect(grown('gateway_function_invocation_total', { ...burn, code: '503' })).toBe(result.failed);
  expect(grown('gateway_functions_seconds_count', burn)).toBe(result.sent);
  expect(grown('gateway_functions_seconds_sum', { ...burn, code: '200' })).toBeGreaterThan(0.04 * result.succeeded);
  expect(grown('skein_requests_forwarded_total', { ...burn, peer: 'node-2' })).toBe(result.nodes['node-2']!.served);
  expect(grown('skein_requests_rejected_total', burn)).toBe(result.failed);
  expect(sum(here, 'skein_requests_rejected_total', { reason: 'unknown-function' })).toBe(1);
  for (const [reason, count] of Object.entries(result.reasons)) {
    expect(grown('skein_requests_rejected_total', { ...burn, reason })).toBe(count);
  }

  expect(sum(here, 'gateway_service_count', burn)).toBeGreaterThan(0);
  expect(sum(here, 'skein_capacity_slots')).toBe(one.slots);
  expect(sum(await scrape(two), 'skein_capacity_slots')).toBe(two.slots);
  expect(sum(here, 'skein_plan_changes_total')).toBeGreaterThan(0);
  expect(sum(here, 'skein_cold_start_seconds_count')).toBeGreaterThan(0);
  const age = here.filter(({ name }) => name === 'skein_view_age_seconds');
  expect(age.map(({ labels }) => labels)).toEqual([{ peer: 'node-2' }]);
  expect(age[0]!.value).toBeLessThan(30);
  expect(sum(here, 'skein_node_cpu_ratio')).toBeLessThanOrEqual(1);
  expect(sum(here, 'skein_node_memory_bytes')).toBeGreaterThan(1e6);
});
