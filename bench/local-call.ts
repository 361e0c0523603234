import { runLoad } from '../src/loadtest/run-load.ts';
import { inRepository, withFederation } from './lib/federation.ts';
import { startDirect } from './lib/forked-server.ts';
import { numbers, positive, readOptions } from './lib/options.ts';
import { cpuByRole } from './lib/processes.ts';
import { hasProgram } from './lib/programs.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { inTurn, percent, ratioIn, showSpread, spreadIn, spreadOf, sum, type Spread } from './lib/statistics.ts';
import { runWrk, type Measured } from './lib/wrk.ts';

const about = `What a node adds to a call that it serves itself: 11 bytes POSTed to a node-mode function that answers with
them, one replica, keep-alive, a closed loop; once through the node's gateway and once straight to the same
handler code on a TCP port. The two take turns, so that a busy machine slows both.`;

const options = readOptions('local-call', about, {
  connections: { help: 'connections, divided by commas', fallback: '1,10,32' },
  seconds: { help: 'length of each run', fallback: '5' },
  rounds: { help: 'runs of each kind', fallback: '3' },
  client: { help: 'wrk, skein or both', fallback: 'both' },
});
const connections = numbers(options.connections);
const seconds = positive(options.seconds);
const rounds = positive(options.rounds);

const body = 'Hello Skein';
const target = { perSecond: 5_000, ratio: 0.4, addedCpuUs: 120 };
const folder = inRepository('bench/functions/echo');

type Way = 'direct' | 'gateway';
/** Milliseconds of CPU so far, of all that serves. */
type Cpu = () => { readonly plane: number; readonly replica: number; readonly agent: number };
type Server = { readonly url: string; readonly cpu: Cpu };
type Run = Measured & {
  /** Microseconds of CPU a request. */
  readonly cpuUs: { readonly plane: number; readonly replica: number; readonly agent: number };
};

const clients: Readonly<Record<string, (url: string, count: number, forSeconds: number) => Promise<Measured>>> = {
  wrk: (url, count, forSeconds) => runWrk(url, count, Math.max(1, Math.round(forSeconds)), body),
  skein: async (url, count, forSeconds) => {
    const result = await runLoad({
      target: url,
      rate: 'max',
      durationMs: forSeconds * 1000,
      connections: count,
      body: Buffer.from(body),
      headers: [['content-type', 'text/plain']],
    });
    const { sent, succeeded, failed, latencyMs, durationSeconds } = result;
    return { requests: sent, perSecond: succeeded / durationSeconds, p50: latencyMs.p50, p99: latencyMs.p99, failed };
  },
};

const withDirect = async <Result>(work: (server: Server) => Promise<Result>): Promise<Result> => {
  const direct = await startDirect();
  try {
    const cpu: Cpu = () => ({ plane: 0, agent: 0, replica: direct.cpuMs() });
    return await work({ url: `http://127.0.0.1:${direct.port}/`, cpu });
  } finally {
    direct.stop();
  }
};

const measure = async (client: string, { url, cpu }: Server, count: number): Promise<Run> => {
  const before = cpu();
  const measured = await clients[client]!(url, count, seconds);
  const after = cpu();
  const each = (role: keyof ReturnType<Cpu>): number => ((after[role] - before[role]) * 1000) / measured.requests;
  return { ...measured, cpuUs: { plane: each('plane'), replica: each('replica'), agent: each('agent') } };
};

type Case = {
  readonly client: string;
  readonly connections: number;
  readonly runs: Readonly<Record<Way, readonly Run[]>>;
};

const runCase = async (client: string, count: number, servers: Readonly<Record<Way, Server>>): Promise<Case> => {
  const both = [servers.direct, servers.gateway];
  const [direct = [], gateway = []] = await inTurn(both, rounds, (server) => measure(client, server, count));
  return { client, connections: count, runs: { direct, gateway } };
};

const work = async (): Promise<readonly Case[]> => {
  const chosen = await chosenClients();
  // Room for all connections: what is measured is the way, not the limit.
  const slots = [Math.max(64, ...connections)];
  return withDirect((direct) =>
    withFederation({ slots }, async ({ nodes, deploy }) => {
      await deploy(folder, 'echo', { 'com.openfaas.scale.min': '1', 'com.openfaas.scale.max': '1' });
      const node = nodes[0]!;
      const cpu: Cpu = () => {
        const { plane, worker, agent } = cpuByRole(node.pid());
        return { plane, replica: worker, agent };
      };
      const servers = { direct, gateway: { url: `${node.url}/function/echo`, cpu } };
      for (const { url } of [servers.direct, servers.gateway]) await clients['skein']!(url, 32, Math.min(2, seconds));
      const cases: Case[] = [];
      for (const client of chosen) for (const count of connections) cases.push(await runCase(client, count, servers));
      return cases;
    }),
  );
};

const chosenClients = async (): Promise<readonly string[]> => {
  const wanted = options.client === 'both' ? ['wrk', 'skein'] : [options.client];
  if (wanted.some((name) => clients[name] === undefined)) throw new Error('--client is wrk, skein or both');
  if (!wanted.includes('wrk') || (await hasProgram('wrk'))) return wanted;
  console.error('wrk is not installed (Debian: apt-get install wrk): only with the client of Skein');
  return wanted.filter((name) => name !== 'wrk');
};

const ratios = ({ runs }: Case, value: (run: Run) => number): Spread => ratioIn(runs.gateway, runs.direct, value);

/** All that the node spends on a request, less what the bare replica spends. */
const added = ({ runs }: Case): Spread =>
  spreadOf(
    runs.gateway.map(
      ({ cpuUs }, index) => cpuUs.plane + cpuUs.replica + cpuUs.agent - runs.direct[index]!.cpuUs.replica,
    ),
  );

const tables = (cases: readonly Case[]): readonly Table[] => [
  {
    title: `Requests per second (target through the gateway: ${target.perSecond}, and ${percent(target.ratio, 0)} of direct)`,
    header: ['client', 'c', 'direct', 'gateway', 'gateway / direct'],
    rows: cases.map((one) => [
      one.client,
      String(one.connections),
      showSpread(
        spreadIn(one.runs.direct, ({ perSecond }) => perSecond),
        0,
      ),
      showSpread(
        spreadIn(one.runs.gateway, ({ perSecond }) => perSecond),
        0,
      ),
      showSpread(
        ratios(one, ({ perSecond }) => perSecond),
        2,
      ),
    ]),
  },
  {
    title: 'Latency, ms (median of the runs)',
    header: ['client', 'c', 'direct p50', 'gateway p50', 'ratio', 'direct p99', 'gateway p99', 'ratio', 'failed'],
    rows: cases.map((one) => [
      one.client,
      String(one.connections),
      spreadIn(one.runs.direct, ({ p50 }) => p50).median.toFixed(2),
      spreadIn(one.runs.gateway, ({ p50 }) => p50).median.toFixed(2),
      showSpread(
        ratios(one, ({ p50 }) => p50),
        2,
      ),
      spreadIn(one.runs.direct, ({ p99 }) => p99).median.toFixed(2),
      spreadIn(one.runs.gateway, ({ p99 }) => p99).median.toFixed(2),
      showSpread(
        ratios(one, ({ p99 }) => p99),
        2,
      ),
      String(sum([...one.runs.direct, ...one.runs.gateway].map(({ failed }) => failed))),
    ]),
  },
  {
    title: `CPU, µs a request (target for what is added: ${target.addedCpuUs})`,
    header: ['client', 'c', 'direct replica', 'replica', 'plane', 'agent', 'added'],
    rows: cases.map((one) => [
      one.client,
      String(one.connections),
      spreadIn(one.runs.direct, ({ cpuUs }) => cpuUs.replica).median.toFixed(0),
      spreadIn(one.runs.gateway, ({ cpuUs }) => cpuUs.replica).median.toFixed(0),
      spreadIn(one.runs.gateway, ({ cpuUs }) => cpuUs.plane).median.toFixed(0),
      spreadIn(one.runs.gateway, ({ cpuUs }) => cpuUs.agent).median.toFixed(0),
      showSpread(added(one), 0),
    ]),
  },
];

const machine = machineNow();
const cases = await work();
publish(
  {
    name: 'local-call',
    settings: `${rounds} rounds of ${seconds} s each, direct and gateway in turn; median (least–most)`,
    tables: tables(cases),
    data: { target, cases },
  },
  machine,
  options,
);
