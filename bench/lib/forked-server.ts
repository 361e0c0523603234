import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { ReplicaPlan } from '../../src/routing/plan.ts';
import { cpuMsOf, treeOf } from './processes.ts';

/** A server in a process of its own, which ends with this one. */
export type ForkedServer = {
  readonly port: number;
  /** User and system time since it started, milliseconds. Linux only. */
  readonly cpuMs: () => number;
  readonly stop: () => void;
};

/** Starts `file`, whose first message is the port that it listens on. */
export const forkServer = async (file: string, args: readonly string[]): Promise<ForkedServer> => {
  const child = fork(file, args);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message))).once('error', reject);
    child.once('exit', () => reject(new Error(`${file} ended`)));
  });
  return { port, cpuMs: () => cpuMsOf(treeOf(child.pid ?? 0)), stop: () => void child.kill('SIGTERM') };
};

/**
 * A function as a replica without Skein around it (`direct-server.ts`): that of `bench/functions/echo`, or another folder's;
 * with `path`, at that unix socket too.
 */
export const startDirect = (more: { readonly folder?: string; readonly path?: string } = {}): Promise<ForkedServer> => {
  const { folder = join(import.meta.dirname, '../functions/echo'), path } = more;
  const handler = join(folder, 'handler.js');
  return forkServer(join(import.meta.dirname, 'direct-server.ts'), path === undefined ? [handler] : [handler, path]);
};

/** It, as a plan names it. */
export const replicaAt = (id: string, { port }: ForkedServer, weight = 1): ReplicaPlan => ({
  id,
  address: { kind: 'tcp', host: '127.0.0.1', port },
  version: '1',
  weight,
  maxInFlight: 0,
});
