import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../src/dataplanes/embedded/open.testing.ts';
import { functionPlan, TestNode } from '../src/dataplanes/test-node.testing.ts';
import type { ReplicaPlan } from '../src/routing/plan.ts';
import { startDirect } from './lib/forked-server.ts';
import { numbers, positive, readOptions } from './lib/options.ts';
import { cpuMsOf, planeOf } from './lib/processes.ts';
import { needPrograms } from './lib/programs.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { inTurn, ratioIn, showSpread, spreadIn } from './lib/statistics.ts';
import { runWrk, showLatency, type Measured } from './lib/wrk.ts';

const about = `Threads in the embedded plane: 11 bytes POSTed by wrk to one replica of \`echo\` through planes that differ in their threads alone;
and the same where some calls wait for a slot, so that threads pass room to each other. All take turns.`;

const options = readOptions('threads', about, {
  threads: { help: 'threads of each plane, divided by commas', fallback: '1,2' },
  connections: { help: 'connections, divided by commas', fallback: '1,32,64' },
  slots: { help: 'slots of the node where calls wait', fallback: '24' },
  seconds: { help: 'length of each run', fallback: '2' },
  rounds: { help: 'runs of each kind', fallback: '3' },
});
const threads = numbers(options.threads);
const connections = numbers(options.connections);
const slots = positive(options.slots);
const seconds = positive(options.seconds);
const rounds = positive(options.rounds);

const body = 'Hello Skein';

/** A longer one would be overload, in which calls are refused. */
const isShortQueue = (count: number): boolean => count > slots && count <= slots * 1.5;

type Way = { readonly url: string; readonly planeMs: () => number };
type Run = Measured & {
  /** Of the plane, microseconds of CPU a request. */
  readonly planeUs: number;
};
/** `queue`: whether calls wait for a slot. */
type Case = { readonly queue: boolean; readonly connections: number; readonly runs: readonly (readonly Run[])[] };

const measureAt =
  (count: number, forSeconds = seconds) =>
  async ({ url, planeMs }: Way): Promise<Run> => {
    const before = planeMs();
    const measured = await runWrk(url, count, forSeconds, body);
    if (measured.failed > 0) throw new Error(`${measured.failed} calls of ${url} failed: nothing is measured then`);
    return { ...measured, planeUs: ((planeMs() - before) * 1000) / measured.requests };
  };

const measure = async (): Promise<readonly Case[]> => {
  await needPrograms('wrk');
  const folder = await mkdtemp(join(tmpdir(), 'skein-threads-'));
  const path = join(folder, 'replica');
  const direct = await startDirect({ path });
  const replica: ReplicaPlan = { id: 'one', address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight: 0 };
  const nodes: TestNode[] = [];
  try {
    for (const count of threads) {
      nodes.push(await TestNode.start('threads', (facts) => openEmbedded(facts, { threads: count })));
    }
    const ways = nodes.map((node) => ({
      url: `${node.url}/function/echo`,
      planeMs: () => cpuMsOf(planeOf(node.facts.folder)),
    }));
    const cases: Case[] = [];
    for (const queue of [false, true]) {
      const room = queue ? slots : 2 * Math.max(...connections);
      for (const node of nodes) await node.apply(room, { echo: functionPlan([replica], { queueMs: 30_000 }) });
      await inTurn(ways, 1, measureAt(Math.max(...connections), 1));
      for (const count of connections.filter((some) => !queue || isShortQueue(some))) {
        cases.push({ queue, connections: count, runs: await inTurn(ways, rounds, measureAt(count)) });
      }
    }
    return cases;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    direct.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const perSecond = (run: Run): number => run.perSecond;

const table = (
  title: string,
  cases: readonly Case[],
  cell: (runs: readonly Run[], one: readonly Run[]) => string,
): Table => ({
  title,
  header: ['calls', 'c', ...threads.map((count) => (count === 1 ? '1 thread' : `${count} threads`))],
  rows: cases.map(({ queue, connections: count, runs }) => [
    queue ? `wait for ${slots} slots` : 'have room',
    String(count),
    ...runs.map((some) => cell(some, runs[0]!)),
  ]),
});

const tablesOf = (cases: readonly Case[]): readonly Table[] => [
  table('Requests per second', cases, (runs) => showSpread(spreadIn(runs, perSecond), 0)),
  table(`Requests per second, of ${threads[0]} thread`, cases, (runs, one) =>
    showSpread(ratioIn(runs, one, perSecond), 2),
  ),
  table('CPU of the plane, µs a request', cases, (runs) =>
    showSpread(
      spreadIn(runs, ({ planeUs }) => planeUs),
      0,
    ),
  ),
  table('p50 / p99, ms (median of the runs)', cases, showLatency),
];

const machine = machineNow();
const cases = await measure();
publish(
  {
    name: 'threads',
    settings: `${rounds} rounds of ${seconds} s each, in turn; median (least–most)`,
    tables: tablesOf(cases),
    data: { threads, cases },
  },
  machine,
  options,
);
