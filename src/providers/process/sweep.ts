import { join } from 'node:path';
import type { Clock } from '../../std/clock.ts';
import { systemClock } from '../../std/clock.ts';
import { isAlive } from '../../std/process-identity.ts';
import { endChildren } from './end-children.ts';
import { Ledger } from './ledger.ts';
import { RunningProcess } from './running-process.ts';

const graceMs = 5000;

/**
 * Ends every replica that the ledger in `folder` names, with its children: SIGTERM, and SIGKILL after 5 s. For when no provider runs
 * on that folder. A pid that belongs to another process by now is left alone. Returns how many were ended.
 */
export const sweepProcesses = async (folder: string, clock: Clock = systemClock): Promise<number> => {
  const ledger = await Ledger.open(folder);
  const ended = await Promise.all(
    ledger.entries().map(async (entry) => {
      const alive = isAlive(entry.process);
      if (alive) await RunningProcess.adopt(entry.process, clock).end(clock, graceMs);
      await endChildren(join(folder, 'slots', entry.id, 'children'));
      await ledger.remove(entry.id);
      return alive;
    }),
  );
  return ended.filter(Boolean).length;
};
