import { setTimeout as pause } from 'node:timers/promises';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import { runLoad } from '../src/loadtest/run-load.ts';
import { inRepository, withFederation, type BenchFederation } from './lib/federation.ts';
import { numbers, positive, readOptions } from './lib/options.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { percent, sum } from './lib/statistics.ts';

const about = `The main job: calls of 50 ms sleep at node-1 of three nodes with 4, 8 and 16 slots. Alone node-1 serves 80 a second, together
they serve 560. Each strategy with each data plane has a federation of its own, and each rate follows the other after a pause.`;

const options = readOptions('federation', about, {
  rates: { help: 'requests per second, divided by commas', fallback: '300,500,700' },
  seconds: { help: 'length of each run', fallback: '20' },
  strategies: { help: 'which to run', fallback: 'least-loaded,recalc,recalc-labelled,static,all-local' },
  planes: { help: 'what carries the calls: embedded, haproxy, or both', fallback: 'embedded' },
});
const rates = numbers(options.rates);
const seconds = positive(options.seconds);

const sleepMs = 50;
const slots = [4, 8, 16];
const recalcPeriodMs = 1_000;
const betweenMs = 2_000;

type Run = { readonly strategy: string; readonly plane: string; readonly rate: number; readonly result: LoadResult };

/** `recalc-labelled`: with `dfaas.maxrate` at each node, as users of DFaaS do; without labels `recalc` goes by slots. */
const runStrategy = async (strategy: string, plane: string): Promise<readonly Run[]> => {
  const [name = '', labelled] = strategy.split('-labelled');
  return withFederation(
    {
      slots,
      strategy: name,
      env: { SKEIN_STRATEGY_PERIOD_MS: String(recalcPeriodMs), SKEIN_DATA_PLANE_KIND: plane },
    },
    async (federation) => {
      await federation.deploy(inRepository('functions/burn'), 'burn');
      if (labelled !== undefined) await labelNodes(federation);
      const runs: Run[] = [];
      for (const rate of rates) {
        const target = `${federation.nodes[0]!.url}/function/burn?sleep=${sleepMs}`;
        runs.push({ strategy, plane, rate, result: await runLoad({ target, rate, durationMs: seconds * 1000 }) });
        await pause(betweenMs);
      }
      return runs;
    },
  );
};

const labelNodes = async ({ nodes, client }: BenchFederation): Promise<void> => {
  for (const node of nodes) {
    const labels = { 'dfaas.maxrate': String((node.slots * 1000) / sleepMs) };
    await client.setOverride('burn', { id: node.name, selector: [`skein.node==${node.name}`], labels });
  }
};

/** How much of what was sent any federation of this size could serve. */
const possible = (rate: number): number => Math.min(1, (sum(slots) * 1000) / sleepMs / rate);

const share = ({ result }: Run, node: string): string =>
  percent((result.nodes[node]?.served ?? 0) / Math.max(1, result.succeeded), 0);

/** Refused before the first second was over: later strategies may have learned. */
const firstSecond = ({ result }: Run): string => String(result.perSecond[0]?.failed ?? 0);

const counts = (map: Readonly<Record<string, number>>): string =>
  Object.entries(map)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || '-';

const tables = (runs: readonly Run[]): readonly Table[] => [
  {
    title: `burn?sleep=${sleepMs} at node-1 of ${slots.join(' / ')} slots`,
    header: [
      'strategy',
      'plane',
      'per s',
      'succeeded',
      'possible',
      'failed',
      'in 1st s',
      'p50 ms',
      'p99 ms',
      '1',
      '2',
      '3',
      'reasons',
    ],
    rows: runs.map((run) => [
      run.strategy,
      run.plane,
      String(run.rate),
      percent(run.result.successRatio, 2),
      percent(possible(run.rate), 0),
      String(run.result.failed + run.result.unsent),
      firstSecond(run),
      run.result.latencyMs.p50.toFixed(0),
      run.result.latencyMs.p99.toFixed(0),
      ...['node-1', 'node-2', 'node-3'].map((node) => share(run, node)),
      counts({
        ...run.result.reasons,
        ...run.result.errors,
        ...(run.result.unsent > 0 ? { unsent: run.result.unsent } : {}),
      }),
    ]),
  },
];

const machine = machineNow();
const runs: Run[] = [];
for (const strategy of options.strategies.split(',')) {
  for (const plane of options.planes.split(',')) runs.push(...(await runStrategy(strategy.trim(), plane.trim())));
}
publish(
  {
    name: 'federation',
    settings: `${seconds} s each; recalc with a period of ${recalcPeriodMs / 1000} s`,
    tables: tables(runs),
    data: runs,
  },
  machine,
  options,
);
