import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { Prometheus, prometheusMissing } from './prometheus.fixture.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '../..');

type Panel = { readonly title: string; readonly targets?: readonly { readonly expr: string }[] };
type Dashboard = {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};

const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/skein.json'), 'utf8')) as Dashboard;
const expressions = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

/** As Grafana fills its variables in where everything is chosen. */
const filled = (expression: string): string =>
  expression.replaceAll('$__rate_interval', '1m').replaceAll(/\$(node|function)\b/g, '.*');

/** What of an expression or a query of variables is the name of a metric. */
const metricsOf = (expression: string): readonly string[] =>
  expression.match(/\b(?:skein|gateway|provider)_[a-z_]+/g) ?? [];

/** Not on every machine. */
const perhapsMissing = new Set(['skein_node_power_watts']);

/** What `promtool` objects to and others chose: names of OpenFaaS, and of prom-client's view of Node. */
const accepted = [/^gateway_(function_invocation_started|service_count) /, /^nodejs_/, /^process_/];

/** Callbacks to one address of this machine are tried, and fail; those to others are given up at once. */
const refusing = ['--callbacks-private', 'refuse', '--callbacks-except', '127.0.0.2/32'];

describe.skipIf(prometheusMissing)('Prometheus', () => {
  let bundles: Bundles;
  let federation: Federation;
  let prometheus: Prometheus;

  beforeAll(async () => {
    bundles = await Bundles.build('burn', 'mirror');
    federation = await Federation.start({ slots: [1, 4], flags: [...refusing, '--queue-ms', '0'] });
    await federation.deploy(bundles, 'burn', 'mirror');
    prometheus = await Prometheus.start(federation.nodes.map(({ metricsUrl }) => new URL(metricsUrl).host));
    // Of everything something: served, passed on, refused, made later, given up.
    const [one] = federation.nodes;
    await Promise.all(Array.from({ length: 8 }, () => one!.call('burn?sleep=300').then((answer) => answer.text())));
    for (const host of ['127.0.0.2', 'localhost']) {
      const headers = { 'x-callback-url': `http://${host}:9/` };
      const answer = await fetch(`${one!.url}/async-function/mirror`, { method: 'POST', headers });
      expect(answer.status).toBe(202);
    }
  });

  afterAll(async () => {
    await prometheus?.end();
    await bundles?.remove();
    await federation?.end();
  });

  /** A node that answers Prometheus too late is missing from sums until the next reading. */
  const says = (expression: string, wanted: number): Promise<unknown> =>
    until(`${expression} is ${wanted}`, async () => (await prometheus.query(expression))[0]?.value === wanted);

  test('reads every node, and its series say what the nodes did', async () => {
    const names = federation.nodes.map(({ metricsUrl }) => new URL(metricsUrl).host);
    const up = await until('all are scraped', async () => {
      const points = await prometheus.query('up{job="skein"} == 1');
      return points.length === names.length && points;
    });
    expect(new Set(up.map(({ metric }) => metric['instance']))).toEqual(new Set(names));
    await says('sum(skein_capacity_slots)', 5);
    const burn = '{function_name="burn.openfaas-fn"}';
    // Calls that were passed on are counted at both nodes.
    await says(`sum(gateway_function_invocation_started${burn}) - sum(skein_requests_forwarded_total${burn})`, 8);
    await says(`sum(gateway_function_invocation_started${burn}) - sum(gateway_function_invocation_total${burn})`, 0);
    // One callback is tried again and one given up.
    await says('sum(skein_async_retries_total{kind="callback"}) > bool 0', 1);
    await says('sum(skein_async_dead_letters{kind="callback"})', 1);
    await says('sum(skein_async_completed_total{kind="call"})', 2);
  });

  test('finds nothing in /metrics that breaks its rules', async () => {
    for (const { metricsUrl } of federation.nodes) {
      const input = await (await fetch(metricsUrl)).text();
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
      expect(status, stderr).not.toBe(1);
      const problems = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
      expect(problems.filter((line) => !accepted.some((known) => known.test(line)))).toEqual([]);
    }
  });

  test('knows every metric of the dashboard', async () => {
    const texts = await Promise.all(federation.nodes.map(async ({ metricsUrl }) => (await fetch(metricsUrl)).text()));
    const exported = new Set(texts.join('\n').match(/^[a-z_]+/gm));
    const definitions = dashboard.templating.list.map(({ definition = '' }) => definition);
    const used = new Set([...expressions.map(({ expr }) => expr), ...definitions].flatMap(metricsOf));
    expect(used.size).toBeGreaterThan(15);
    expect([...used].filter((name) => !exported.has(name) && !perhapsMissing.has(name))).toEqual([]);
  });

  test('understands every expression of the dashboard, and all of what is measured here say something', async () => {
    for (const { title, expr } of expressions) {
      const expression = filled(expr);
      await prometheus.query(expression);
      if (metricsOf(expr).some((name) => perhapsMissing.has(name))) continue;
      // A rate needs two readings.
      await until(`${title} has something to say`, async () => (await prometheus.query(expression)).length > 0);
    }
  });

  test('takes the alerts, and they fire when they should', () => {
    const rules = join(root, 'deploy/prometheus/skein-rules.test.yml');
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', rules], { encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});
