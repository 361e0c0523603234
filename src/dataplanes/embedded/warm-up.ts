import { createServer, request as httpRequest, Agent } from 'node:http';
import type { Server } from 'node:net';
import { rm } from 'node:fs/promises';
import { functionKey, nodeId } from '../../domain/ids.ts';
import { localRoute, type Plan } from '../../routing/plan.ts';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { planeInstruments } from '../../telemetry/plane-instruments.ts';
import { publicListener } from '../listeners.ts';
import type { PeerClients } from '../peer-clients.ts';
import { Plane } from '../plane.ts';
import { ReplicaClients } from '../replica-clients.ts';
import type { Upstream } from '../upstream.ts';

const calls = 300;
const parallel = 8;

/**
 * Sends a few hundred calls through a plane of its own to an echo of its own, over sockets beside `path`, so that the
 * code is compiled when the first real call comes: cold it takes ten times as long.
 */
export const warmUp = async (path: string, peers: PeerClients, upstream: Upstream): Promise<void> => {
  const replicaPath = `${path}r`;
  const replicas = new ReplicaClients(systemClock);
  const plane = new Plane({
    replicas,
    peers,
    instruments: planeInstruments({ inFlight: () => 0 }),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    upgradeIdleMs: 1_000,
    onDemand: () => undefined,
  });
  plane.apply(planOf(replicaPath));
  const bounds = {
    plane,
    clock: systemClock,
    upstream,
    maxHeaderBytes: 16_384,
    maxBodyBytes: 0,
    isTrusted: () => false,
  };
  const front = publicListener(bounds);
  const echo = createServer((request, response) => void request.pipe(response));
  // A process that was killed while it warmed up leaves them.
  await Promise.all([rm(path, { force: true }), rm(replicaPath, { force: true })]);
  await Promise.all([listen(echo, replicaPath), listen(front.sockets, path)]);
  const agent = new Agent({ keepAlive: true, maxSockets: parallel });
  const workers = Array.from({ length: parallel }, async () => {
    for (let call = 0; call < calls / parallel; call += 1) await post(path, agent);
  });
  await Promise.allSettled(workers);
  agent.destroy();
  replicas.close();
  plane.close();
  front.close();
  echo.close();
  echo.closeAllConnections();
  await Promise.all([rm(path, { force: true }), rm(replicaPath, { force: true })]);
};

const planOf = (path: string): Plan => ({
  version: 1,
  node: { id: nodeId('warm'), name: 'warm' },
  slots: parallel,
  draining: false,
  peers: [],
  functions: {
    [functionKey('warm')]: {
      ...localRoute,
      policy: 'least-loaded',
      replicas: [{ id: 'warm', address: { kind: 'unix', path }, version: '1', weight: 1, maxInFlight: 0 }],
      canStart: false,
      maxInFlight: 0,
      maxRate: 0,
      queueMs: 1_000,
      timeoutMs: 10_000,
      hops: 1,
    },
  },
});

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });

const post = (socketPath: string, agent: Agent): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers = { 'content-length': '4' };
    const sent = httpRequest({ socketPath, agent, path: '/function/warm', method: 'POST', headers }, (answer) => {
      answer.resume().once('end', resolve);
    });
    sent.once('error', reject);
    sent.end('warm');
  });
