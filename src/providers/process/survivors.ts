import type { Clock } from '../../std/clock.ts';
import { isAlive } from '../../std/process-identity.ts';
import type { Replica } from './replica.ts';
import type { Ledger } from './ledger.ts';
import { RunningProcess } from './running-process.ts';
import { accepts } from './wait.ts';

/** The replicas of an earlier run that still answer, oldest first. Those that do not are ended and struck off the ledger. */
export const survivors = async (ledger: Ledger, clock: Clock): Promise<readonly Replica[]> => {
  const found: Replica[] = [];
  for (const { process: identity, ...entry } of ledger.entries()) {
    const process = isAlive(identity) ? RunningProcess.adopt(identity, clock) : undefined;
    if (process !== undefined && (await accepts(entry.address))) {
      found.push({ ...entry, process, readyAtMs: clock.monotonic() });
      continue;
    }
    await process?.end(clock);
    await ledger.remove(entry.id);
  }
  return found;
};
