import { join } from 'node:path';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { selfSigned } from '../certificate.ts';
import type { PlaneFacts } from '../test-node.testing.ts';
import { HaproxyDataPlane } from './haproxy-data-plane.ts';
import type { Telling } from '../telling.ts';

/** An HAProxy for a test. */
export const openHaproxy = async (
  facts: PlaneFacts,
  tracing?: Telling['tracing'],
  ports = { gateway: 0, peer: 0 },
): Promise<HaproxyDataPlane> => {
  const { version, folder, name, identity, peerAckMs, maxHeaderBytes, maxBodyBytes, upgradeIdleMs, trustedProxies } =
    facts;
  return new HaproxyDataPlane({
    folder,
    version,
    binary: 'haproxy',
    credentials: await selfSigned(identity.privateKey, systemClock.now()),
    clock: systemClock,
    log: silentLog,
    telling: {
      accessLog: facts.accessLog ? join(folder, 'access.log') : undefined,
      tracing,
      logLevel: 'info',
      logFormat: 'json',
    },
    settings: {
      folder: join(folder, 'h'),
      gateway: { host: '127.0.0.1', port: ports.gateway },
      peer: { host: '127.0.0.1', port: ports.peer },
      systemSocket: join(folder, 'system.sock'),
      peerSystemSocket: join(folder, 'peers.sock'),
      nodeName: name,
      peerAckMs,
      maxHeaderBytes,
      maxBodyBytes,
      upgradeIdleMs,
      trustedProxies,
      threads: 1,
    },
  });
};
