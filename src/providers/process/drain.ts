import { readFile } from 'node:fs/promises';
import type { Address } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { Replica } from './replica.ts';
import { settledWithin, until } from './wait.ts';

const lookEveryMs = 100;

/**
 * Lets a replica finish and ends it. It goes on until `withdrawn`, when no more calls are sent to it; then it
 * takes no new connections, answers what runs, and ends, at the latest after `timeoutMs` more.
 *
 * Workers of node mode do this by themselves on SIGTERM. Of other programs nobody knows what SIGTERM makes them cut, so
 * they get it only when nobody is connected any more.
 */
export const drain = async (
  clock: Clock,
  replica: Replica,
  withdrawn: Promise<unknown>,
  timeoutMs: number,
): Promise<void> => {
  await withdrawn;
  if (replica.mode === 'http') {
    await until(clock, timeoutMs, lookEveryMs, async () => replica.process.gone || !(await isUsed(replica.address)));
    await replica.process.end(clock, 5000);
    return;
  }
  replica.process.signalLeader('SIGTERM');
  if (!(await settledWithin(clock, timeoutMs, replica.process.exited))) await replica.process.end(clock);
};

/** Whether connections to a listening address are open; false where the system does not tell. */
const isUsed = async (address: Address): Promise<boolean> => {
  try {
    return address.kind === 'unix' ? await isSocketUsed(address.path) : await isPortUsed(address.port);
  } catch {
    return false;
  }
};

/** Lines of /proc/net/unix: num, references, protocol, flags, type, state (03 = connected), inode, path. */
const isSocketUsed = async (path: string): Promise<boolean> => {
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
  return lines.some((line) => line.endsWith(` ${path}`) && line.trim().split(/\s+/)[5] === '03');
};

/** Lines of /proc/net/tcp: number, local address, remote address, state (01 = established), all in hexadecimal. */
const isPortUsed = async (port: number): Promise<boolean> => {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n');
  return lines.some((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[1]?.endsWith(local) === true && fields[3] === '01';
  });
};
