import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SkeinError } from '../domain/errors.ts';
import { sweepProcesses } from '../providers/process/sweep.ts';
import { readPidFile } from '../std/pid-file.ts';
import { isAlive, type ProcessIdentity } from '../std/process-identity.ts';
import { signalProcess } from '../std/signal-process.ts';
import { sweepNodeFiles } from './node-files.ts';

/** How long a process may take to end by itself. */
const graceMs = 15_000;
const lookMs = 25;

/** Folders of nodes below a data folder. `forbidden` where they are another user's: what runs there cannot be known. */
export const nodeFolders = (data: string): readonly string[] => {
  if (!existsSync(data)) return [];
  mustBeOurs(data);
  return readdirSync(data, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(data, entry.name))
    .filter((folder) => {
      mustBeOurs(folder);
      return existsSync(join(folder, 'identity.pem'));
    });
};

const mustBeOurs = (folder: string): void => {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch (cause) {
    throw new SkeinError('forbidden', `${folder} is another user's: do this as that user`, { cause });
  }
};

/** Whether anything of the node runs: its agent, or a data plane that one left behind. */
export const runsNode = (folder: string): boolean =>
  readPidFile(join(folder, 'agent.pid')) !== undefined || readPidFile(join(folder, 'plane.pid')) !== undefined;

/**
 * Ends all of a node that still runs, in the order in which it loses least: the agent drains and ends the rest; what a
 * dead agent left is ended here. Returns how many processes were ended.
 */
export const endNode = async (folder: string): Promise<number> => {
  const ended = await Promise.all(
    ['agent.pid', 'plane.pid'].map(async (name) => {
      const process = readPidFile(join(folder, name));
      // A living agent ends its own data plane, and better.
      if (process === undefined || (name === 'plane.pid' && readPidFile(join(folder, 'agent.pid')))) return 0;
      await end(process);
      return 1;
    }),
  );
  const left = readPidFile(join(folder, 'plane.pid'));
  if (left !== undefined) await end(left);
  // Beside HAProxy, where calls wait for room.
  const room = readPidFile(join(folder, 'waiting.pid'));
  if (room !== undefined) await end(room);
  const replicas = existsSync(join(folder, 'functions')) ? await sweepProcesses(join(folder, 'functions')) : 0;
  await sweepNodeFiles(folder);
  return ended.reduce<number>((sum, count) => sum + count, 0) + replicas;
};

const end = async (target: ProcessIdentity): Promise<void> => {
  signalProcess(target, 'SIGTERM');
  const giveUpAt = performance.now() + graceMs;
  while (isAlive(target)) {
    if (performance.now() > giveUpAt) signalProcess(target, 'SIGKILL');
    await pause(lookMs);
  }
};
