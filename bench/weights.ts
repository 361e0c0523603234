import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { AdminSocket } from '../src/dataplanes/haproxy/admin-socket.ts';
import type { HaproxyDataPlane } from '../src/dataplanes/haproxy/haproxy-data-plane.ts';
import { openHaproxy } from '../src/dataplanes/haproxy/open.testing.ts';
import { functionPlan, TestNode } from '../src/dataplanes/test-node.testing.ts';
import type { LoadOptions } from '../src/loadtest/load-options.ts';
import type { LoadResult } from '../src/loadtest/load-result.ts';
import type { ReplicaPlan } from '../src/routing/plan.ts';
import { inRepository } from './lib/federation.ts';
import { positive, readOptions } from './lib/options.ts';
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

const startReplica = async (id: string): Promise<{ readonly child: ChildProcess; readonly replica: ReplicaPlan }> => {
  const handler = join(inRepository('bench/functions/echo'), 'handler.js');
  const child = fork(join(import.meta.dirname, 'lib/direct-server.ts'), [handler]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message))).once('error', reject);
    child.once('exit', () => reject(new Error('a replica ended')));
  });
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return { child, replica: { id, address, version: '1', weight: 100, maxInFlight: 0 } };
};

/** Puts load on the function for as long as `work` takes. */
const loaded = async <Result>(target: string, work: () => Promise<Result>): Promise<readonly [LoadResult, Result]> => {
  const load: LoadOptions = {
    target,
    rate: 'max',
    durationMs: 3_600_000,
    connections,
    body: Buffer.from('Hello Skein'),
  };
  const worker = new Worker(join(import.meta.dirname, 'lib/load-worker.ts'), { workerData: load });
  const ended = new Promise<LoadResult>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  const result = await work();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage('stop');
  return [await ended, result];
};

/** The weights of all replicas as HAProxy has them. */
const inForce = async ({ facts }: Node): Promise<readonly number[]> => {
  const admin = await AdminSocket.open(join(facts.folder, 'h/admin.sock'), 5_000);
  const lines = (await admin.ask('show servers state')).split('\n').map((line) => line.split(' '));
  admin.close();
  return lines
    .filter(([, backend, , server]) => /^f\d/.test(backend ?? '') && server !== 'room')
    .map((line) => Number(line[7]));
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
  const url = `${a.url}/function/weighed`;
  await loaded(url, () => pause(1_000));
  const [still] = await loaded(url, () => pause(seconds * 1_000));
  const [changing, tookMs] = await loaded(url, async () => {
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
  const started = await Promise.all(['first', 'second', 'third'].map(startReplica));
  const nodes: Node[] = [];
  try {
    for (const name of ['a', 'b']) nodes.push(await TestNode.start(name, openHaproxy));
    return await work(
      started.map(({ replica }) => replica),
      ...(nodes as [Node, Node]),
    );
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    for (const { child } of started) child.kill('SIGTERM');
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
