import { setTimeout as pause } from 'node:timers/promises';
import { openEmbedded } from '../src/dataplanes/embedded/open.testing.ts';
import { openHaproxy } from '../src/dataplanes/haproxy/open.testing.ts';
import { openMemory } from '../src/dataplanes/memory/open.testing.ts';
import { functionPlan, TestNode, type OpenPlane } from '../src/dataplanes/test-node.testing.ts';
import type { FunctionPlan, PeerPlan } from '../src/routing/plan.ts';
import { replicaAt, startDirect, type ForkedServer } from './lib/forked-server.ts';
import { loaded } from './lib/loaded.ts';
import { positive, readOptions } from './lib/options.ts';
import { planeOf, pssOf } from './lib/processes.ts';
import { hasProgram } from './lib/programs.ts';
import { machineNow, publish, type Table } from './lib/report.ts';
import { showSpread, spreadOf, sum } from './lib/statistics.ts';

const about = `A large plan, 1 000 functions that each may go to 20 peers: how long a data plane takes to have it in force, and then a
changed weight, all weights changed, a function that comes and one that goes; what it does to calls meanwhile; memory.`;

const options = readOptions('plan-size', about, {
  functions: { help: 'functions in the plan', fallback: '1000' },
  peers: { help: 'peers that each of them may go to', fallback: '20' },
  repeats: { help: 'changes of each kind', fallback: '20' },
  planes: { help: 'which data planes', fallback: 'embedded,haproxy' },
  rate: { help: 'calls per second meanwhile', fallback: '100' },
});
const functionCount = positive(options.functions);
const peerCount = positive(options.peers);
const repeats = positive(options.repeats);
const rate = positive(options.rate);

const opens: Readonly<Record<string, OpenPlane>> = { embedded: openEmbedded, haproxy: openHaproxy };
const slots = 64;
const settleMs = 500;

/** Changes of one kind. */
type Phase = {
  readonly name: string;
  readonly tookMs: readonly number[];
  /** Of the calls meanwhile. */
  readonly longestMs: number;
  readonly failed: number;
  /** Calls whose time came while all connections were taken. */
  readonly unsent: number;
};
type Measured = { readonly plane: string; readonly phases: readonly Phase[]; readonly pssBytes: readonly number[] };

type Functions = Readonly<Record<string, FunctionPlan>>;

/** The plan of a node, and what has been said to its data plane of it. */
class Planned {
  readonly #node: TestNode;
  readonly #replica: ForkedServer;
  readonly #peers: readonly PeerPlan[];
  #functions: Functions;

  constructor(node: TestNode, replica: ForkedServer, peers: readonly PeerPlan[]) {
    this.#node = node;
    this.#replica = replica;
    this.#peers = peers;
    this.#functions = { f0: this.one(0) };
  }

  /** A function that runs here, and whose calls go to all peers when there is no room; `salt` makes weights differ. */
  one(salt: number): FunctionPlan {
    const peers = this.#peers.map(({ id }, index) => ({ id, weight: 1 + ((index + salt) % 7) }));
    return functionPlan([replicaAt('one', this.#replica)], { policy: 'local-first', peers });
  }

  /** Milliseconds until these functions are in force as well. */
  async put(functions: Functions): Promise<number> {
    return this.#have({ ...this.#functions, ...functions });
  }

  async drop(name: string): Promise<number> {
    const { [name]: _gone, ...rest } = this.#functions;
    return this.#have(rest);
  }

  async #have(functions: Functions): Promise<number> {
    const plan = this.#node.plan(slots, functions, this.#peers);
    const from = performance.now();
    await this.#node.plane.apply(plan);
    this.#functions = functions;
    return performance.now() - from;
  }
}

const statusOf = async (node: TestNode, name: string): Promise<number> => {
  const response = await fetch(`${node.url}/function/${name}`, { method: 'POST', body: 'x' });
  await response.arrayBuffer();
  return response.status;
};

const expect = async (node: TestNode, name: string, status: number): Promise<void> => {
  const found = await statusOf(node, name);
  if (found !== status) throw new Error(`${name} was answered with ${found} instead of ${status}`);
};

const measure = async (plane: string, open: OpenPlane, replica: ForkedServer): Promise<Measured> => {
  const node = await TestNode.start('large', open);
  const others: TestNode[] = [];
  try {
    for (let index = 0; index < peerCount; index += 1) {
      const other = await TestNode.start(`peer-${index}`, openMemory);
      others.push(other);
      await other.apply(slots, {}, [node.asPeer(slots)]);
    }
    const planned = new Planned(
      node,
      replica,
      others.map((other) => other.asPeer(slots)),
    );
    await planned.put({});
    return { plane, ...(await measurePhases(node, planned)) };
  } finally {
    await Promise.all([node, ...others].map((one) => one.stop()));
  }
};

const measurePhases = async (node: TestNode, planned: Planned): Promise<Omit<Measured, 'plane'>> => {
  const phases: Phase[] = [];
  const phase = async (name: string, times: number, change: (turn: number) => Promise<number>): Promise<void> => {
    const calls = { target: `${node.url}/function/f0`, connections: 8, rate };
    const [{ latencyMs, failed, unsent }, tookMs] = await loaded(calls, async () => {
      const took: number[] = [];
      await pause(settleMs);
      for (let turn = 1; turn <= times; turn += 1) took.push(await change(turn));
      await pause(settleMs);
      return took;
    });
    phases.push({ name, tookMs, longestMs: latencyMs.max, failed, unsent });
  };
  const pss = (): number => sum(planeOf(node.facts.folder).map(({ pid }) => pssOf(pid)));
  const all = (salt: number): Functions =>
    Object.fromEntries(Array.from({ length: functionCount }, (_, index) => [`f${index}`, planned.one(index + salt)]));
  const little = pss();
  await phase('no change', 1, () => pause(2_000, 0));
  await phase('the first plan', 1, () => planned.put(all(0)));
  await expect(node, `f${functionCount - 1}`, 200);
  const large = pss();
  await phase('a weight', repeats, (turn) => planned.put({ f0: planned.one(turn) }));
  await phase('all weights', Math.ceil(repeats / 4), (turn) => planned.put(all(turn)));
  await phase('a function comes', repeats, async (turn) => {
    const took = await planned.put({ [`new${turn}`]: planned.one(turn) });
    await expect(node, `new${turn}`, 200);
    return took;
  });
  await phase('a function goes', repeats, async (turn) => {
    const took = await planned.drop(`new${turn}`);
    await expect(node, `new${turn}`, 404);
    return took;
  });
  return { phases, pssBytes: [little, large, pss()] };
};

const measureAll = async (): Promise<readonly Measured[]> => {
  const replica = await startDirect();
  const measured: Measured[] = [];
  try {
    for (const plane of options.planes.split(',')) {
      const open = opens[plane];
      if (open === undefined) throw new Error('--planes are embedded, haproxy or both');
      if (plane === 'haproxy' && !(await hasProgram('haproxy'))) {
        console.error('haproxy is not installed (Debian: apt-get install haproxy): without it');
        continue;
      }
      measured.push(await measure(plane, open, replica));
    }
    return measured;
  } finally {
    replica.stop();
  }
};

const megabytes = (bytes: number | undefined): string => ((bytes ?? Number.NaN) / 1024 ** 2).toFixed(0);

const tablesOf = (measured: readonly Measured[]): readonly Table[] => [
  {
    title: `${functionCount} functions × ${peerCount} peers: in force after`,
    header: [
      'change',
      ...measured.flatMap(({ plane }) => [`${plane}: ms`, 'longest call meanwhile, ms', 'failed calls']),
    ],
    rows: (measured[0]?.phases ?? []).map(({ name }, index) => [
      name,
      ...measured.flatMap(({ phases }) => {
        const { tookMs, longestMs, failed } = phases[index]!;
        return [index === 0 ? '-' : showSpread(spreadOf(tookMs), 0), longestMs.toFixed(0), String(failed)];
      }),
    ]),
  },
  {
    title: 'Memory of the data plane’s processes (PSS), MiB',
    header: ['data plane', 'with one function', `with ${functionCount}`, 'after the changes'],
    rows: measured.map(({ plane, pssBytes }) => [plane, ...pssBytes.map(megabytes)]),
  },
];

const machine = machineNow();
const measured = await measureAll();
publish(
  {
    name: 'plan-size',
    settings: `${repeats} changes of each kind, a fourth as many of all weights, under ${rate} calls a second; median (least–most)`,
    tables: tablesOf(measured),
    data: measured,
  },
  machine,
  options,
);
