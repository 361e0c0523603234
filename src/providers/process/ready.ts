import { request } from 'node:http';
import { SkeinError } from '../../domain/errors.ts';
import type { Address } from '../../routing/plan.ts';
import type { LaunchNeeds } from './replica.ts';
import type { Room } from './room.ts';
import type { RunningProcess } from './running-process.ts';
import { accepts, until } from './wait.ts';

const readyEveryMs = 20;
const askedMs = 1000;

/** Waits until a program listens at `address` and, where there is a path, GET of it answers 200..299. `unavailable`. */
export const untilReady = async (
  needs: LaunchNeeds,
  address: Address,
  path: string | undefined,
  process: RunningProcess,
): Promise<void> => {
  const isReady = async (): Promise<boolean> =>
    path === undefined ? accepts(address) : (await probe(address, path)) === 'well';
  const listens = await until(
    needs.clock,
    needs.readyTimeoutMs,
    readyEveryMs,
    async () => process.gone || (await isReady()),
  );
  if (process.gone) throw new SkeinError('unavailable', `the program ${await process.exited} before it was ready`);
  if (listens) return;
  const where = address.kind === 'unix' ? 'on the socket in SKEIN_SOCKET' : 'on the port in PORT';
  const what = path === undefined ? 'accepted no connection' : `did not answer GET ${path} with 200..299`;
  throw new SkeinError('unavailable', `the program ${what} ${where} within ${needs.readyTimeoutMs} ms`);
};

/** Lets go of the room of a program that is ready, or ended: until then it may not have entered. */
export const inside = (
  room: Room | undefined,
  process: RunningProcess,
  ready: () => Promise<void>,
): (() => Promise<void>) => {
  if (room === undefined) return ready;
  void process.exited.then(() => room.close());
  return () => ready().finally(() => room.close());
};

/** How a replica is: `well`; `unwell`, by its own word; `silent`: a second passed; `gone`: nothing listens. */
export type Health = 'well' | 'unwell' | 'silent' | 'gone';

export const probe = async (address: Address, path: string): Promise<Health> => {
  const { promise, resolve } = Promise.withResolvers<Health>();
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const asked = request({ ...where, path, agent: false }, (answer) => {
    const status = answer.statusCode ?? 0;
    resolve(status >= 200 && status < 300 ? 'well' : 'unwell');
    answer.destroy();
  });
  const timer = setTimeout(() => resolve('silent'), askedMs);
  asked.on('error', () => resolve('gone')).end();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    asked.destroy();
  }
};
