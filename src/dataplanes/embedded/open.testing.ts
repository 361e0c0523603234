import { join } from 'node:path';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { PlaneFacts } from '../test-node.testing.ts';
import { EmbeddedDataPlane, type EmbeddedDataPlaneNeeds } from './embedded-data-plane.ts';

/** An embedded data plane for a test, in a process of its own. */
export const openEmbedded = (
  facts: PlaneFacts,
  {
    threads = 1,
    port = 0,
    ...more
  }: Partial<Pick<EmbeddedDataPlaneNeeds, 'answerMs' | 'clock'>> & {
    readonly threads?: number;
    readonly port?: number;
  } = {},
): Promise<EmbeddedDataPlane> => {
  const { version, folder, name, peerAckMs, maxHeaderBytes, maxBodyBytes, upgradeIdleMs, trustedProxies } = facts;
  const plane = new EmbeddedDataPlane({
    clock: systemClock,
    ...more,
    folder,
    runFolder: folder,
    log: silentLog,
    settings: {
      version,
      gateway: { host: '127.0.0.1', port },
      peer: { host: '127.0.0.1', port: 0 },
      systemSocket: join(folder, 'system.sock'),
      peerSystemSocket: join(folder, 'peers.sock'),
      identityFile: join(folder, 'identity.pem'),
      nodeName: name,
      logLevel: 'info',
      logFormat: 'json',
      peerAckMs,
      maxHeaderBytes,
      maxBodyBytes,
      upgradeIdleMs,
      trustedProxies: [...trustedProxies],
      threads,
      ...(facts.accessLog && { accessLog: join(folder, 'access.log') }),
    },
  });
  return Promise.resolve(plane);
};
