import { setTimeout as pause } from 'node:timers/promises';
import { openHaproxy } from '../src/dataplanes/haproxy/open.testing.ts';
import { functionPlan, TestNode } from '../src/dataplanes/test-node.testing.ts';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import { replicaAt, startDirect, type ForkedServer } from './lib/forked-server.ts';
import { inRepository } from './lib/federation.ts';
import { loaded } from './lib/loaded.ts';
import { positive, readOptions } from './lib/options.ts';
import { PlainHaproxy } from './lib/plain-haproxy.ts';
import { needPrograms } from './lib/programs.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { inTurn, percent, showSpread, spreadIn, spreadOf, sum } from './lib/statistics.ts';

const about = `What a changed weight costs calls, by how HAProxy hears of it: told at run time, as Skein's data plane does it, or from a
configuration that is rendered anew, with a seamless reload or a restart, as the published systems do it. The same
two replicas of burn?sleep=50 behind, calls at a rate over keep-alive connections; the ways take turns.`;

const options = readOptions('reload', about, {
  changes: { help: 'changes in each run', fallback: '12' },
  every: { help: 'milliseconds between two changes', fallback: '500' },
  rate: { help: 'calls per second', fallback: '600' },
  connections: { help: 'keep-alive connections, at most', fallback: '50' },
  rounds: { help: 'runs of each kind', fallback: '3' },
});
const changes = positive(options.changes);
const everyMs = positive(options.every);
const rate = positive(options.rate);
const connections = positive(options.connections);
const rounds = positive(options.rounds);

/** Calls that were counted, and by whom: another begins at 0. */
type Counted = { readonly calls: number; readonly worker: string };

/** A way in which weights reach HAProxy. */
type Way = {
  readonly name: string;
  readonly target: string;
  /** Resolves when the weight of the second replica is in force; absent where nothing is changed. */
  readonly change?: (weight: number) => Promise<void>;
  readonly counted: () => Promise<Counted>;
};

type Run = LoadResult & {
  /** How long each change took, milliseconds. */
  readonly changeMs: readonly number[];
  /** Answered calls that the counters know nothing of in the end. */
  readonly uncounted: number;
};

const measure = async ({ target, change, counted }: Way): Promise<Run> => {
  const before = await counted();
  const [result, changeMs] = await loaded({ target, connections, rate }, async () => {
    const took: number[] = [];
    for (let turn = 1; turn <= changes; turn += 1) {
      await pause(everyMs);
      const from = performance.now();
      await change?.(turn % 100);
      took.push(performance.now() - from);
    }
    await pause(everyMs);
    return took;
  });
  if (result.succeeded === 0 || (change === undefined && result.failed > 0)) {
    throw new Error(
      `of ${result.sent} calls of ${target} ${result.failed} failed by themselves: nothing is measured then`,
    );
  }
  const after = await counted();
  const seen = after.worker === before.worker ? after.calls - before.calls : after.calls;
  return { ...result, changeMs, uncounted: Math.max(0, result.succeeded - seen) };
};

type Replicas = readonly [ForkedServer, ForkedServer];

const query = '?sleep=50';
const firstWeight = 100;

const toldWays = (node: TestNode, [first, second]: Replicas): readonly Way[] => {
  const common = {
    target: `${node.url}/function/weighed${query}`,
    counted: async () => ({ calls: (await node.observed('weighed')).entered, worker: 'the first' }),
  };
  const change = (weight: number): Promise<void> => {
    const replicas = [replicaAt('first', first, firstWeight), replicaAt('second', second, weight)];
    return node.apply(2 * connections, { weighed: functionPlan(replicas) });
  };
  return [
    { ...common, name: 'Skein’s HAProxy, no change' },
    { ...common, name: 'told at run time', change },
  ];
};

const renderedWays = (proxy: PlainHaproxy, replicas: Replicas): readonly Way[] => {
  const common = { target: `${proxy.url}${query}`, counted: () => proxy.counted() };
  return [
    { ...common, name: 'plain HAProxy, no change' },
    { ...common, name: 'rendered, reloaded', change: (weight) => proxy.reload(plainServers(replicas, weight)) },
    { ...common, name: 'rendered, restarted', change: (weight) => proxy.restart(plainServers(replicas, weight)) },
  ];
};

const plainServers = ([first, second]: Replicas, weight: number) => [
  { address: `127.0.0.1:${first.port}`, weight: firstWeight },
  { address: `127.0.0.1:${second.port}`, weight },
];

const measureAll = async () => {
  await needPrograms('haproxy');
  const folder = inRepository('functions/burn');
  const replicas = [await startDirect({ folder }), await startDirect({ folder })] as const;
  const node = await TestNode.start('reload', openHaproxy);
  const proxy = await PlainHaproxy.start(plainServers(replicas, 1));
  try {
    const ways = [...toldWays(node, replicas), ...renderedWays(proxy, replicas)];
    await ways[1]?.change?.(1);
    const runs = await inTurn(ways, rounds, measure);
    if (node.plane.reloads > 0) throw new Error(`Skein's HAProxy was reloaded ${node.plane.reloads} times`);
    return ways.map(({ name, change }, index) => ({ name, changed: change !== undefined, runs: runs[index] ?? [] }));
  } finally {
    await Promise.all([node.stop(), proxy.stop()]);
    for (const replica of replicas) replica.stop();
  }
};

type Measured = Awaited<ReturnType<typeof measureAll>>[number];

const total = (runs: readonly Run[], figure: (run: Run) => number | undefined): number =>
  sum(runs.map((run) => figure(run) ?? 0));

const callsRow = ({ name, changed, runs }: Measured): readonly string[] => {
  const [sent, failed] = [total(runs, (run) => run.sent), total(runs, (run) => run.failed)];
  const closed = total(runs, ({ errors }) => errors['closed']);
  const refused = total(runs, ({ errors }) => errors['refused']);
  const perChange = failed / (changes * runs.length);
  return [
    name,
    String(sent),
    String(failed),
    percent(failed / sent, 2),
    changed ? perChange.toFixed(1) : '-',
    String(closed),
    String(refused),
    String(failed - closed - refused),
    String(total(runs, ({ unsent }) => unsent)),
    spreadIn(runs, ({ latencyMs }) => latencyMs.p50).median.toFixed(1),
    showSpread(
      spreadIn(runs, ({ latencyMs }) => latencyMs.p99),
      1,
    ),
  ];
};

const changesRow = ({ name, runs }: Measured): readonly string[] => {
  const took = spreadOf(runs.flatMap(({ changeMs }) => changeMs));
  const lost = total(runs, ({ uncounted }) => uncounted) / total(runs, ({ succeeded }) => succeeded);
  return [name, showSpread(took, 1), (1_000 / took.median).toFixed(0), percent(lost, 0)];
};

const machine = machineNow();
const measured = await measureAll();
const tables: readonly Table[] = [
  {
    title: 'Calls while weights change',
    header: [
      'way',
      'calls',
      'failed',
      'share',
      'failed a change',
      'connection closed',
      'refused',
      'otherwise',
      'unsent',
      'p50 ms',
      'p99 ms',
    ],
    rows: measured.map(callsRow),
  },
  {
    title: 'A change',
    header: ['way', 'in force after ms', 'possible per s', 'calls missing in counters at the end'],
    rows: measured.filter(({ changed }) => changed).map(changesRow),
  },
];
publish(
  {
    name: 'reload',
    settings: `${rounds} rounds of ${changes} changes, ${everyMs} ms between two, ${rate} calls a second over at most ${connections} connections, in turn; sums, median (least–most)`,
    tables,
    data: measured,
  },
  machine,
  options,
);
