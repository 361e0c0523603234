import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { ChannelCredentials } from '../dataplanes/certificate.ts';
import { HaproxyDataPlane, type HaproxyDataPlaneNeeds } from '../dataplanes/haproxy/haproxy-data-plane.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';

export type HaproxyFacts = {
  readonly version: string;
  readonly config: Config;
  readonly telling: HaproxyDataPlaneNeeds['telling'];
  readonly folder: string;
  readonly runFolder: string;
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
  readonly log: Log;
};

/** `dataPlane.kind: haproxy`, as the configuration wants it. */
export const haproxyDataPlane = ({
  version,
  config,
  telling,
  folder,
  runFolder,
  credentials,
  clock,
  log,
}: HaproxyFacts): HaproxyDataPlane =>
  new HaproxyDataPlane({
    folder,
    version,
    binary: config.dataPlane.haproxyProgram,
    credentials,
    clock,
    log,
    telling,
    settings: {
      folder: join(runFolder, 'h'),
      gateway: config.gateway.listen,
      peer: config.peer.listen,
      systemSocket: join(runFolder, 'system.sock'),
      peerSystemSocket: join(runFolder, 'peers.sock'),
      nodeName: config.node.name,
      peerAckMs: config.timeouts.peerAckMs,
      maxHeaderBytes: config.limits.headerBytes,
      maxBodyBytes: config.limits.bodyBytes,
      upgradeIdleMs: config.timeouts.upgradeIdleMs,
      trustedProxies: [...config.gateway.trustedProxies],
      threads: config.dataPlane.haproxyThreads,
    },
  });
