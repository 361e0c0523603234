import { isAlive, type ProcessIdentity } from './process-identity.ts';

/** Sends a signal to that very process. One that ended, now or long ago, is no fault; a later one with its pid is left alone. */
export const signalProcess = (target: ProcessIdentity, signal: NodeJS.Signals): void => {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};
