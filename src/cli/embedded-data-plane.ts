import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { EmbeddedDataPlane } from '../dataplanes/embedded/embedded-data-plane.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { tellingOf } from './node-tracing.ts';

export type EmbeddedFacts = {
  readonly version: string;
  readonly config: Config;
  readonly telling: ReturnType<typeof tellingOf>;
  readonly folder: string;
  readonly runFolder: string;
  readonly identityFile: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** `dataPlane.kind: embedded`, as the configuration wants it. */
export const embeddedDataPlane = ({
  version,
  config,
  telling,
  folder,
  runFolder,
  identityFile,
  clock,
  log,
}: EmbeddedFacts): EmbeddedDataPlane =>
  new EmbeddedDataPlane({
    folder,
    runFolder,
    clock,
    log,
    settings: {
      version,
      gateway: config.gateway.listen,
      peer: config.peer.listen,
      systemSocket: join(runFolder, 'system.sock'),
      peerSystemSocket: join(runFolder, 'peers.sock'),
      identityFile,
      nodeName: config.node.name,
      ...telling,
      peerAckMs: config.timeouts.peerAckMs,
      maxHeaderBytes: config.limits.headerBytes,
      maxBodyBytes: config.limits.bodyBytes,
      upgradeIdleMs: config.timeouts.upgradeIdleMs,
      trustedProxies: [...config.gateway.trustedProxies],
      threads: config.dataPlane.embeddedThreads,
    },
  });
