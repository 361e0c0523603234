import { basename } from 'node:path';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readPidFile } from '../../std/pid-file.ts';
import { signalProcess } from '../../std/signal-process.ts';
import { isAlive } from '../../std/process-identity.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { endNode, nodeFolders, runsNode } from '../sweep.ts';
import { setTimeout as pause } from 'node:timers/promises';

const details = `
Ends every node that keeps its state in the data folder, with its data plane and its replicas,
however it was started, and also what a crash left running. State stays: the next start has it
again.

Example:
  skein down --data /srv/skein`;

export const define = (command: Command): void => {
  command.description('Stops the nodes of a data folder.').addHelpText('after', details).action(down);
  addGlobals(command, 'data', 'json', 'quiet');
};

/** What `skein up` needs to stop its nodes one after the other. */
const upGraceMs = 30_000;

const down = async (_flags: object, command: Command): Promise<void> => {
  const { data, json, quiet } = globalsOf(command);
  const running = nodeFolders(data).filter(runsNode);
  const up = readPidFile(join(data, 'up.pid'));
  if (up !== undefined) {
    signalProcess(up, 'SIGTERM');
    const giveUpAt = performance.now() + upGraceMs;
    while (isAlive(up) && performance.now() < giveUpAt) await pause(50);
  }
  // Also what no agent and no `up` watches any more.
  const swept = await Promise.all(nodeFolders(data).map(endNode));
  const stopped = running.map((folder) => basename(folder));
  if (json) console.log(JSON.stringify({ stopped, swept: swept.reduce((sum, count) => sum + count, 0) }));
  else if (!quiet) console.log(stopped.length === 0 ? `nothing runs in ${data}` : `stopped ${stopped.join(', ')}`);
};
