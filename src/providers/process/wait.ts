import { connect } from 'node:net';
import type { Address } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';

export const pause = async (clock: Clock, ms: number): Promise<void> => {
  if (ms <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  clock.after(ms, resolve);
  await promise;
};

/** Whether `promise` settled within `ms`. */
export const settledWithin = async (clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> => {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const cancel = clock.after(ms, () => resolve(false));
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    cancel();
  }
};

/** Asks `condition` every `everyMs` until it holds; false when `withinMs` passed first. */
export const until = async (
  clock: Clock,
  withinMs: number,
  everyMs: number,
  condition: () => Promise<boolean>,
): Promise<boolean> => {
  const end = clock.monotonic() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (clock.monotonic() >= end) return false;
    await pause(clock, everyMs);
  }
};

/** Whether something accepts a connection there, within a second. */
export const accepts = async (address: Address): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(
    address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
    () => resolve(true),
  );
  socket.setTimeout(1000, () => resolve(false));
  socket.once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
};
