import { join } from 'node:path';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { PlaneFacts } from '../test-node.testing.ts';
import { EmbeddedDataPlane } from './embedded-data-plane.ts';

/** An embedded data plane for a test, in a process of its own. */
export const openEmbedded = (facts: PlaneFacts): Promise<EmbeddedDataPlane> => {
  const { folder, name, peerAckMs, maxHeaderBytes, maxBodyBytes } = facts;
  const plane = new EmbeddedDataPlane({
    folder,
    runFolder: folder,
    clock: systemClock,
    log: silentLog,
    settings: {
      gateway: { host: '127.0.0.1', port: 0 },
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
    },
  });
  return Promise.resolve(plane);
};
