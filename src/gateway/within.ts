import { SkeinError } from '../domain/errors.ts';
import type { Clock } from '../std/clock.ts';

/**
 * What `work` resolves with, if it does within `ms`; then its signal aborts. Rejects as `work` does, or with `timeout` and
 * what did not happen in time.
 */
export const within = async <T>(
  ms: number,
  clock: Pick<Clock, 'after'>,
  work: (signal: AbortSignal) => Promise<T>,
  missed = 'no answer',
): Promise<T> => {
  const late = new AbortController();
  const timedOut = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(new SkeinError('timeout', `${missed} within ${ms / 1000} s`));
    late.signal.addEventListener('abort', fail, { once: true });
  });
  const cancel = clock.after(ms, () => late.abort());
  try {
    return await Promise.race([work(late.signal), timedOut]);
  } finally {
    cancel();
  }
};
