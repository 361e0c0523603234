import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AdminSocket } from '../src/dataplanes/haproxy/admin-socket.ts';
import type { HaproxyDataPlane } from '../src/dataplanes/haproxy/haproxy-data-plane.ts';
import { openHaproxy } from '../src/dataplanes/haproxy/open.testing.ts';
import { functionPlan, TestNode } from '../src/dataplanes/test-node.testing.ts';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import type { ReplicaPlan } from '../src/routing/plan.ts';
import { replicaAt, startDirect } from './lib/forked-server.ts';
import { loaded } from './lib/loaded.ts';
import { positive, readOptions } from './lib/options.ts';
import { serversOf } from './lib/plain-haproxy.ts';
import { needPrograms } from './lib/programs.ts';
import { machineNow, publish } from './lib/report.ts';
import { sum } from './lib/statistics.ts';

const about = `Weights changed at run time with HAProxy as data plane: plan after plan, each with one other weight, by turns of a replica and
of a peer, while a closed loop over keep-alive connections calls the function. Nothing may fail and nothing may be reloaded.`;

const options = readOptions('weights', about, {
  changes: { help: 'weights that are changed', fallback: '10000' },
  connections: { help: 'keep-alive connections', fallback: '50' },
  seconds: { help: 'length of the load without changes, for comparison', fallback: '5' },
});
const changes = positive(options.changes);
const connections = positive(options.connections);
const seconds = positive(options.seconds);

type Node = TestNode<HaproxyDataPlane>;

/** The weights of all replicas as HAProxy has them. */
const inForce = async ({ facts }: Node): Promise<readonly number[]> => {
  const admin = await AdminSocket.open(join(facts.folder, 'h/admin.sock'), 5_000);
  const servers = await serversOf(admin);
  admin.close();
  return servers.filter(({ backend, name }) => /^f\d/.test(backend) && name !== 'room').map(({ weight }) => weight);
};

const work = async (replicas: readonly ReplicaPlan[], a: Node, b: Node) => {
  const [first, second, third] = replicas as [ReplicaPlan, ReplicaPlan, ReplicaPlan];
  const slots = 2 * connections;
  await b.apply(slots, { weighed: functionPlan([third]) }, [a.asPeer(slots)]);
  /** Of turn `turn`: the weight of the second replica changes in even ones, that of the peer in the others. */
  const weightsAt = (turn: number) => ({
    replica: 1 + (Math.ceil(turn / 2) % 100),
    peer: 1 + (Math.floor(turn / 2) % 4),
  });
  const apply = (turn: number): Promise<void> => {
    const weights = weightsAt(turn);
    const plan = functionPlan([first, { ...second, weight: weights.replica }], {
      policy: 'weighted',
      local: { weight: 4 },
      peers: [{ id: b.id, weight: weights.peer }],
    });
    return a.apply(slots, { weighed: plan }, [b.asPeer(slots)]);
  };
  await apply(0);
  const load = { target: `${a.url}/function/weighed`, connections };
  await loaded(load, () => pause(1_000));
  const [still] = await loaded(load, () => pause(seconds * 1_000));
  const [changing, tookMs] = await loaded(load, async () => {
    await pause(500);
    const from = performance.now();
    for (let turn = 1; turn <= changes; turn += 1) await apply(turn);
    return performance.now() - from;
  });
  const told = weightsAt(changes).replica;
  const found = await inForce(a);
  if (!found.includes(told)) throw new Error(`HAProxy has the weights ${found.join(', ')}, and was told ${told}`);
  return { still, changing, tookMs, reloads: a.plane.reloads + b.plane.reloads, perSecond: (1_000 * changes) / tookMs };
};

const measure = async () => {
  await needPrograms('haproxy');
  const started = await Promise.all(
    ['first', 'second', 'third'].map(async (id) => ({ id, server: await startDirect() })),
  );
  const nodes: Node[] = [];
  try {
    for (const name of ['a', 'b']) nodes.push(await TestNode.start(name, openHaproxy));
    return await work(
      started.map(({ id, server }) => replicaAt(id, server, 100)),
      ...(nodes as [Node, Node]),
    );
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    for (const { server } of started) server.stop();
  }
};

const row = (name: string, { sent, failed, errors, durationSeconds, latencyMs }: LoadResult): readonly string[] => [
  name,
  String(sent),
  (sent / durationSeconds).toFixed(0),
  latencyMs.p50.toFixed(1),
  latencyMs.p99.toFixed(1),
  String(failed),
  String(sum(Object.values(errors))),
];

const machine = machineNow();
const result = await measure();
publish(
  {
    name: 'weights',
    settings: `${changes} changes under ${connections} connections`,
    tables: [
      {
        title: `${changes} changes of weights in ${(result.tookMs / 1_000).toFixed(1)} s: ${result.perSecond.toFixed(0)} a second, ${result.reloads} reloads`,
        header: ['load', 'calls', 'per s', 'p50 ms', 'p99 ms', 'failed', 'of them without an answer'],
        rows: [row('without changes', result.still), row('with changes', result.changing)],
      },
    ],
    data: result,
  },
  machine,
  options,
);
