import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

/**
 * A file that holds a process' pid and nothing else, for people and scripts; beside it, in `FILE.start`, stands when
 * the process started, so that a later one with the same pid is not taken for it.
 */
export const writePidFile = (file: string, pid: number): void => {
  const identity = identify(pid);
  writeFileSync(`${file}.start`, `${identity?.startTime ?? ''}\n`, { mode: 0o600 });
  writeFileSync(file, `${pid}\n`, { mode: 0o600 });
};

/** The process that `file` names, if it is still that one. */
export const readPidFile = (file: string): ProcessIdentity | undefined => {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    const startTime = readFileSync(`${file}.start`, 'utf8').trim();
    const identity = { pid, startTime };
    return Number.isInteger(pid) && pid > 0 && isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
};

export const removePidFile = (file: string): void => {
  rmSync(file, { force: true });
  rmSync(`${file}.start`, { force: true });
};
