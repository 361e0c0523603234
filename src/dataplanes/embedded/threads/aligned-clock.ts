import type { Clock } from '../../../std/clock.ts';

/** What `performance.now()` of this thread and `process.hrtime`, which is the same in all, differ by; milliseconds. */
export const ownOffsetMs = (): number => Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The clock of this thread with the monotonic time of the one that has `offsetMs`: each thread's own begins with it. */
export const alignedClock = (clock: Clock, offsetMs: number): Clock => {
  const aheadMs = ownOffsetMs() - offsetMs;
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + aheadMs,
    after: (ms, callback) => clock.after(ms, callback),
    every: (ms, callback) => clock.every(ms, callback),
  };
};
