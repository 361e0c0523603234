/**
 * The waiting room's process: `waiting-main.ts LAUNCH-FILE`. It goes on when the agent is gone; the next one adopts it
 * by its control socket (a file that only its own user can open).
 */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { systemClock } from '../../std/clock.ts';
import { readLines } from '../../std/read-lines.ts';
import { waitingLaunch, type WaitingReport } from './waiting-protocol.ts';
import { WaitingRoom } from './waiting-room.ts';

const [launchFile = ''] = process.argv.slice(2);
const settings = waitingLaunch.parse(JSON.parse(readFileSync(launchFile, 'utf8')));
const agents = new Set<Socket>();
/** An agent that does not read is not told more: what it is told here is said again while it holds. */
const maxUnreadBytes = 256 * 1024;

const tell = (agent: Socket, report: WaitingReport): void => {
  if (agent.writableLength < maxUnreadBytes) agent.write(`${JSON.stringify(report)}\n`);
};

const room = new WaitingRoom({
  again: settings.again,
  nodeName: settings.nodeName,
  clock: systemClock,
  onDemand: (demand) => {
    for (const agent of agents) tell(agent, { kind: 'demand', demand });
  },
});

const control = createServer((agent) => {
  agents.add(agent);
  agent.on('error', () => agent.destroy());
  agent.once('close', () => agents.delete(agent));
  tell(agent, { kind: 'hello', pid: process.pid });
  readLines(agent, () => tell(agent, { kind: 'queued', functions: room.queued() }));
});

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));
process.on('uncaughtException', (error) => {
  // One broken call must not end all the others.
  console.error(error.stack ?? error.message);
});

await Promise.all([settings.socket, settings.control].map((path) => rm(path, { force: true })));
const mask = process.umask(0o177);
await room.listen(settings.socket);
control.listen(settings.control, () => process.umask(mask));
