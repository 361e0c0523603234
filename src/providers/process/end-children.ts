import { readFile } from 'node:fs/promises';
import { isAlive } from '../../std/process-identity.ts';

/** Ends the processes that a watchdog which is gone had written down as running, with their children. */
export const endChildren = async (file: string): Promise<void> => {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  for (const line of lines) {
    const [pid, startTime] = line.split(' ');
    if (startTime === undefined || !isAlive({ pid: Number(pid), startTime })) continue;
    try {
      process.kill(-Number(pid), 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
};
