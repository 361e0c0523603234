import { join } from 'node:path';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import { AccessLog } from '../../telemetry/access-log.ts';
import { selfSigned } from '../certificate.ts';
import type { PlaneServerNeeds } from '../plane-server.ts';
import type { PlaneFacts } from '../test-node.testing.ts';
import { MemoryDataPlane } from './memory-data-plane.ts';

/** A data plane of this process for a test. */
export const openMemory = async (
  facts: PlaneFacts,
  more: Partial<Pick<PlaneServerNeeds, 'clock' | 'shared' | 'tracer'>> = {},
): Promise<MemoryDataPlane> => {
  const { folder, identity, peerAckMs, maxHeaderBytes, maxBodyBytes, upgradeIdleMs, trustedProxies } = facts;
  const access = new AccessLog(join(folder, 'access.log'), systemClock, silentLog);
  return new MemoryDataPlane({
    credentials: await selfSigned(identity.privateKey, systemClock.now()),
    gateway: { host: '127.0.0.1', port: 0 },
    peer: { host: '127.0.0.1', port: 0 },
    systemSocket: join(folder, 'system.sock'),
    peerSystemSocket: join(folder, 'peers.sock'),
    peerAckMs,
    maxHeaderBytes,
    maxBodyBytes,
    upgradeIdleMs,
    trustedProxies,
    onCall: facts.accessLog ? (record) => access.write(record) : undefined,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    ...more,
  });
};
