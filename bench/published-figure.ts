import { setTimeout as pause } from 'node:timers/promises';
import { runLoad } from '../src/loadtest/run-load.ts';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import { inRepository, withFederation, type BenchFederation } from './lib/federation.ts';
import { positive, readOptions } from './lib/options.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { sum } from './lib/statistics.ts';

const about = `The published experiment of DFaaS (CloudNet 2021): 50 requests per second at node-1, whose dfaas.maxrate is 10, with two
helpers of 16 and 24. Published: 10 served and 40 errors per second for the first minute, then 10 + 16 + 24 and no errors.
The load begins as soon as every node knows the function. --quick: a period of 5 s, for 30 s.`;

const options = readOptions('published-figure', about, {
  period: { help: 'strategy.periodMs in seconds; published: 60', fallback: '60' },
  minutes: { help: 'how long each strategy runs; published: 5', fallback: '3' },
  rows: { help: 'rows of each table per period', fallback: '2' },
  quick: { help: 'a period of 5 s, for 30 s', fallback: false },
  only: { help: 'the variants to run, by their first letters, divided by commas', fallback: '' },
});
const periodMs = options.quick ? 5_000 : positive(options.period) * 1000;
const totalMs = options.quick ? 30_000 : positive(options.minutes) * 60_000;
const windowMs = periodMs / positive(options.rows);

const rate = 50;

type Variant = {
  readonly name: string;
  readonly strategy: string;
  /** `dfaas.maxrate` of node-1, node-2, node-3. */
  readonly maxRates: readonly [number, number, number];
};

const variants: readonly Variant[] = [
  { name: 'recalc', strategy: 'recalc', maxRates: [10, 16, 24] },
  // A helper halves its margin between its two peers: these offer node-1 what the published ones did.
  { name: 'recalc-doubled', strategy: 'recalc', maxRates: [10, 32, 48] },
  { name: 'least-loaded', strategy: 'least-loaded', maxRates: [10, 16, 24] },
  { name: 'all-local', strategy: 'all-local', maxRates: [10, 16, 24] },
];

type Window = { readonly fromMs: number; readonly toMs: number; readonly result: LoadResult };

const runVariant = ({ strategy, maxRates }: Variant): Promise<readonly Window[]> =>
  withFederation(
    // Slots for all of it: the limits are the labels.
    { slots: [16, 16, 16], strategy, env: { SKEIN_STRATEGY_PERIOD_MS: String(periodMs) } },
    async (federation) => {
      await deployLimited(federation, maxRates);
      const starts = Array.from({ length: Math.ceil(totalMs / windowMs) }, (_, index) => index * windowMs);
      const began = performance.now();
      // Each begins on time, while the last answers of the one before are still awaited: the load has no gaps.
      return Promise.all(
        starts.map(async (fromMs) => {
          const durationMs = Math.min(windowMs, totalMs - fromMs);
          await pause(began + fromMs - performance.now());
          return { fromMs, toMs: fromMs + durationMs, result: await load(federation, durationMs) };
        }),
      );
    },
  );

const load = ({ nodes }: BenchFederation, durationMs: number): Promise<LoadResult> =>
  runLoad({ target: `${nodes[0]!.url}/function/figlet`, rate, durationMs, body: Buffer.from('Hello DFaaS World!') });

/** One function, whose limit is another at each node. */
const deployLimited = async (
  { nodes, client, deploy }: BenchFederation,
  maxRates: Variant['maxRates'],
): Promise<void> => {
  await deploy(inRepository('functions/figlet'), 'figlet', { 'dfaas.maxrate': String(maxRates[0]) });
  for (const [index, { name }] of nodes.entries()) {
    const labels = { 'dfaas.maxrate': String(maxRates[index]) };
    await client.setOverride('figlet', { id: name, selector: [`skein.node==${name}`], labels });
  }
};

const served = ({ result }: Window, node: string): number => (result.nodes[node]?.served ?? 0) / result.durationSeconds;

const errors = ({ result }: Window): number => (result.failed + result.unsent) / result.durationSeconds;

const reasons = (windows: readonly Window[]): string =>
  [...new Set(windows.flatMap(({ result }) => Object.keys(result.reasons)))]
    .map((reason) => `${reason} ${sum(windows.map(({ result }) => result.reasons[reason] ?? 0))}`)
    .join(', ') || 'none';

const span = (ms: number): string => `${Number((ms / 1000).toFixed(1))}`;

/** The published numbers beside a window of ours, by how many periods have passed. */
const published = (fromMs: number): string => (fromMs < periodMs ? '10 / 0 / 0 / 40' : '10 / 16 / 24 / 0');

const tableOf = ({ name, maxRates }: Variant, windows: readonly Window[]): Table => ({
  title: `${name}, dfaas.maxrate ${maxRates.join(' / ')}: per second (refused: ${reasons(windows)})`,
  header: ['seconds', 'node-1', 'node-2', 'node-3', 'errors', 'p99 ms', 'published: 1 / 2 / 3 / errors'],
  rows: windows.map((window) => [
    `${span(window.fromMs)}–${span(window.toMs)}`,
    ...['node-1', 'node-2', 'node-3'].map((node) => served(window, node).toFixed(1)),
    errors(window).toFixed(1),
    window.result.latencyMs.p99.toFixed(0),
    published(window.fromMs),
  ]),
});

const machine = machineNow();
const wanted = options.only === '' ? [''] : options.only.split(',');
const outcomes: { readonly variant: Variant; readonly windows: readonly Window[] }[] = [];
for (const variant of variants.filter(({ name }) => wanted.some((start) => name.startsWith(start)))) {
  outcomes.push({ variant, windows: await runVariant(variant) });
}
publish(
  {
    name: 'published-figure',
    settings: `${rate}/s at node-1, period ${span(periodMs)} s, ${span(totalMs)} s each`,
    tables: outcomes.map(({ variant, windows }) => tableOf(variant, windows)),
    data: outcomes.map(({ variant, windows }) => ({
      ...variant,
      windows: windows.map((window) => ({
        fromMs: window.fromMs,
        toMs: window.toMs,
        served: Object.fromEntries(['node-1', 'node-2', 'node-3'].map((node) => [node, served(window, node)])),
        errors: errors(window),
        reasons: window.result.reasons,
      })),
    })),
  },
  machine,
  options,
);
