import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../src/dataplanes/embedded/open.testing.ts';
import { openHaproxy } from '../src/dataplanes/haproxy/open.testing.ts';
import { functionPlan, TestNode, type OpenPlane } from '../src/dataplanes/test-node.testing.ts';
import type { ReplicaPlan } from '../src/routing/plan.ts';
import { startDirect } from './lib/forked-server.ts';
import { numbers, positive, readOptions } from './lib/options.ts';
import { PlainHaproxy } from './lib/plain-haproxy.ts';
import { cpuMsOf, planeOf } from './lib/processes.ts';
import { needPrograms } from './lib/programs.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { inTurn, ratioIn, showSpread, spreadIn, spreadOf } from './lib/statistics.ts';
import { runWrk, showLatency, type Measured } from './lib/wrk.ts';

const about = `One hop, from the client to the replica: 11 bytes POSTed by wrk to one replica of \`echo\`, with keep-alive on both sides, straight,
through HAProxy alone, through HAProxy that adds the headers of a gateway and nothing else, through either data plane, and through HAProxy
in front of the embedded one. All take turns.`;

const options = readOptions('hop', about, {
  connections: { help: 'connections, divided by commas', fallback: '1,10,32,50' },
  seconds: { help: 'length of each run', fallback: '2' },
  rounds: { help: 'runs of each kind', fallback: '3' },
});
const connections = numbers(options.connections);
const seconds = positive(options.seconds);
const rounds = positive(options.rounds);

const body = 'Hello Skein';
const target = { timesAlone: 1.15, addedCpuUs: 120 };

const names = ['direct', 'HAProxy alone', 'with headers', 'haproxy', 'embedded', 'HAProxy → embedded'] as const;

type Way = {
  readonly url: string;
  /** Of all that is between client and replica, milliseconds. */
  readonly proxyMs: () => number;
};
type Run = Measured & {
  /** Microseconds of CPU a request. */
  readonly proxyUs: number;
  readonly replicaUs: number;
};
type Case = { readonly connections: number; readonly runs: readonly (readonly Run[])[] };

const measureAt =
  (count: number, replicaMs: () => number, forSeconds = seconds) =>
  async ({ url, proxyMs }: Way): Promise<Run> => {
    const before = [proxyMs(), replicaMs()] as const;
    const measured = await runWrk(url, count, forSeconds, body);
    const each = (ms: number): number => (ms * 1000) / measured.requests;
    if (measured.failed > 0) throw new Error(`${measured.failed} calls of ${url} failed: nothing is measured then`);
    return { ...measured, proxyUs: each(proxyMs() - before[0]), replicaUs: each(replicaMs() - before[1]) };
  };

const measure = async (): Promise<readonly Case[]> => {
  await needPrograms('wrk', 'haproxy');
  const folder = await mkdtemp(join(tmpdir(), 'skein-hop-'));
  const path = join(folder, 'replica');
  const direct = await startDirect({ path });
  const stops: (() => Promise<void>)[] = [];
  const plain = async (address: string, asGateway = false): Promise<PlainHaproxy> => {
    const proxy = await PlainHaproxy.start([{ address, weight: 1 }], { asGateway });
    stops.push(() => proxy.stop());
    return proxy;
  };
  const node = async (open: OpenPlane): Promise<TestNode> => {
    const started = await TestNode.start('hop', open);
    stops.push(() => started.stop());
    const replica: ReplicaPlan = {
      id: 'one',
      address: { kind: 'unix', path },
      version: '1',
      weight: 1,
      maxInFlight: 0,
    };
    // Room for all: what is measured is the way, not the bound.
    await started.apply(2 * Math.max(...connections), { hop: functionPlan([replica]) });
    return started;
  };
  try {
    const [alone, withHeaders] = [await plain(`unix@${path}`), await plain(`unix@${path}`, true)];
    const [haproxy, embedded] = [await node(openHaproxy), await node(openEmbedded)];
    const front = await plain(`127.0.0.1:${embedded.port}`);
    const planeMs = ({ facts }: TestNode): number => cpuMsOf(planeOf(facts.folder));
    const ways: readonly Way[] = [
      { url: `http://127.0.0.1:${direct.port}/`, proxyMs: () => 0 },
      { url: alone.url, proxyMs: () => alone.cpuMs() },
      { url: `${withHeaders.url}function/hop`, proxyMs: () => withHeaders.cpuMs() },
      { url: `${haproxy.url}/function/hop`, proxyMs: () => planeMs(haproxy) },
      { url: `${embedded.url}/function/hop`, proxyMs: () => planeMs(embedded) },
      { url: `${front.url}function/hop`, proxyMs: () => front.cpuMs() + planeMs(embedded) },
    ];
    await inTurn(ways, 1, measureAt(32, direct.cpuMs, 1));
    const cases: Case[] = [];
    for (const count of connections) {
      cases.push({ connections: count, runs: await inTurn(ways, rounds, measureAt(count, direct.cpuMs)) });
    }
    return cases;
  } finally {
    await Promise.all(stops.map((stop) => stop()));
    direct.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const proxyUs = (run: Run): number => run.proxyUs;
const wholeUs = (run: Run): number => run.proxyUs + run.replicaUs;
const perSecond = (run: Run): number => run.perSecond;

/** One column for each way. */
const byWay = (
  title: string,
  cases: readonly Case[],
  cell: (runs: readonly Run[], direct: readonly Run[]) => string,
) => ({
  title,
  header: ['c', ...names],
  rows: cases.map(({ connections: count, runs }) => [String(count), ...runs.map((some) => cell(some, runs[0]!))]),
});

const targetRow = ({ connections: count, runs }: Case): readonly string[] => {
  const [direct = [], alone = [], withHeaders = [], haproxy = [], embedded = []] = runs;
  const added = spreadOf(embedded.map((run, index) => wholeUs(run) - wholeUs(direct[index]!)));
  return [
    String(count),
    showSpread(ratioIn(haproxy, alone, proxyUs), 2),
    showSpread(ratioIn(haproxy, withHeaders, proxyUs), 2),
    showSpread(ratioIn(haproxy, alone, wholeUs), 2),
    showSpread(ratioIn(haproxy, alone, perSecond), 2),
    showSpread(added, 0),
  ];
};

const tablesOf = (cases: readonly Case[]): readonly Table[] => [
  {
    title: `The targets: the haproxy plane costs at most ${target.timesAlone} times HAProxy alone, the embedded one adds at most ${target.addedCpuUs} µs`,
    header: [
      'c',
      'CPU of the proxy',
      'of one with headers',
      'with the replica’s',
      'requests per second',
      'embedded adds, µs',
    ],
    rows: cases.map(targetRow),
  },
  byWay('CPU between client and replica, µs a request', cases, (runs) => showSpread(spreadIn(runs, proxyUs), 0)),
  byWay('CPU with the replica’s, µs a request', cases, (runs) => showSpread(spreadIn(runs, wholeUs), 0)),
  byWay('Requests per second', cases, (runs) => showSpread(spreadIn(runs, perSecond), 0)),
  byWay('Requests per second, of direct', cases, (runs, direct) => showSpread(ratioIn(runs, direct, perSecond), 2)),
  byWay('p50 / p99, ms (median of the runs)', cases, showLatency),
];

const machine = machineNow();
const cases = await measure();
publish(
  {
    name: 'hop',
    settings: `${rounds} rounds of ${seconds} s each, in turn; median (least–most)`,
    tables: tablesOf(cases),
    data: { target, ways: names, cases },
  },
  machine,
  options,
);
