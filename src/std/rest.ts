import type { Clock } from './clock.ts';

/** Resolves after `ms`, or as soon as `signal` aborts. */
export const rest = async (clock: Pick<Clock, 'after'>, ms: number, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake);
  await promise;
  signal.removeEventListener('abort', wake);
  cancel();
};
