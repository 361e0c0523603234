/**
 * The waiting room's process: `waiting-main.ts LAUNCH-FILE`. It goes on when the agent is gone; the next one adopts it
 * by its control socket (a file that only its own user can open). HAProxy tells it of calls that have ended, too, and it ends those
 * whose time is over.
 */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { FunctionKey } from '../../domain/ids.ts';
import { systemClock } from '../../std/clock.ts';
import { readLines } from '../../std/read-lines.ts';
import { Attendance } from './attendance.ts';
import type { CallTelling } from './call-telling.ts';
import { SessionWatch } from './session-watch.ts';
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

const attendance = new Attendance(settings.admin, systemClock);

const room = new WaitingRoom({
  again: settings.again,
  nodeName: settings.nodeName,
  clock: systemClock,
  onDemand: (demand) => {
    for (const agent of agents) tell(agent, { kind: 'demand', demand });
  },
});

/** Its modules are loaded where somebody wants to know of calls only. */
const openTelling = async (): Promise<CallTelling | undefined> => {
  const { accessLog, tracing } = settings.telling;
  if (accessLog === undefined && tracing === undefined) return undefined;
  const { CallTelling: Opened } = await import('./call-telling.ts');
  return Opened.open(settings, systemClock);
};

const answer = async (agent: Socket, asked: string): Promise<void> => {
  const [kind, ...functions] = asked.split(' ');
  if (kind === 'metrics') {
    tell(agent, { kind, metrics: (await telling?.metrics(functions as FunctionKey[])) ?? [] });
  }
  if (kind === 'queued') tell(agent, { kind, functions: room.queued() });
};

const control = createServer((agent) => {
  agents.add(agent);
  agent.on('error', () => agent.destroy());
  agent.once('close', () => {
    agents.delete(agent);
    if (agents.size === 0) void attendance.say(false);
  });
  // Whoever takes over finds the calls that are for it.
  void attendance.say(true).then(() => {
    tell(agent, { kind: 'hello', pid: process.pid });
    room.tellAgain();
  });
  readLines(agent, (line) => void answer(agent, line));
});

let stopping = false;

const stop = async (): Promise<void> => {
  if (stopping) return;
  stopping = true;
  await telling?.close();
  process.exit(0);
};

process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
process.on('uncaughtException', (error) => {
  // One broken call must not end all the others.
  console.error(error.stack ?? error.message);
});

const sockets = [settings.socket, settings.control, settings.calls];
await Promise.all(sockets.map((path) => rm(path, { force: true })));
const mask = process.umask(0o177);
await room.listen(settings.socket);
const telling = await openTelling();
new SessionWatch(settings.admin, systemClock).start();
control.listen(settings.control, () => process.umask(mask));
