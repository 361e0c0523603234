/**
 * The embedded data plane's process: `main.ts LAUNCH-FILE`. It takes plans from whoever opens its control socket (a
 * file that only its own user can open), keeps the last one on disk, and goes on with it when the agent is gone.
 */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer as createSocketServer, type Socket } from 'node:net';
import { messageOf } from '../../domain/errors.ts';
import { readLines } from '../../std/read-lines.ts';
import { systemClock } from '../../std/clock.ts';
import { AccessLog } from '../../telemetry/access-log.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { Plan } from '../../routing/plan.ts';
import type { Demand } from '../data-plane.ts';
import { OwnCarrier, type CarrierNeeds } from './carrier.ts';
import { PlanFile } from './plan-file.ts';
import { cannotListenCode, launch, type Command, type Report } from './protocol.ts';
import { Threads } from './threads/threads.ts';

const [launchFile = ''] = process.argv.slice(2);
const settings = launch.parse(JSON.parse(readFileSync(launchFile, 'utf8')));
const log = createLogger({
  level: settings.logLevel,
  format: settings.logFormat,
  fields: { node: settings.nodeName, part: 'data plane' },
});

const agents = new Set<Socket>();
/** An agent that does not read is not told more: what it is told here is said again while it holds. */
const maxUnreadBytes = 256 * 1024;

const report = (message: Report): void => {
  const line = `${JSON.stringify(message)}\n`;
  for (const agent of agents) if (agent.writableLength < maxUnreadBytes) agent.write(line);
};

const access = settings.accessLog === undefined ? undefined : new AccessLog(settings.accessLog, systemClock, log);

const needs = {
  settings,
  clock: systemClock,
  log,
  onDemand: (demand: Demand) => report({ kind: 'demand', demand }),
  onCall: access && ((record) => access.write(record)),
} satisfies Partial<CarrierNeeds>;

let stopping = false;

const carrier =
  settings.threads === 1
    ? await OwnCarrier.open({ ...needs, warmPath: `${settings.controlSocket}w` })
    : await Threads.open({
        ...needs,
        onLost: (why) => {
          if (stopping) return;
          // What it had let in is counted for ever: a process that begins anew is the only one that counts right.
          log.error({ why }, 'a thread of the data plane is gone; the process ends');
          process.exit(1);
        },
      });

process.on('uncaughtException', (error) => {
  // One broken call must not end all the others; what it was is in the log.
  log.error({ error: error.stack ?? error.message }, 'a fault in the data plane');
});

// ---- the plan, here and on disk

const planFile = new PlanFile({ file: settings.planFile, clock: systemClock, log });

const restore = async (): Promise<void> => {
  try {
    const kept = await planFile.read();
    // A plan that was left by an orderly stop says that the node leaves; this is its return.
    if (kept !== undefined) await carrier.apply({ plan: { ...kept, draining: false }, removed: [], whole: true });
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'the plan on disk could not be read; waiting for the agent');
  }
};

// ---- the agent

const answer = (agent: Socket, message: Report): void => void agent.write(`${JSON.stringify(message)}\n`);

const obey = async (command: Command, agent: Socket): Promise<void> => {
  switch (command.kind) {
    case 'plan':
      await carrier.apply(command);
      planFile.save(() => carrier.told as Plan);
      answer(agent, { kind: 'done', id: command.id });
      return;
    case 'hint':
      carrier.hint(command.peers);
      return;
    case 'observe':
      answer(agent, { kind: 'observation', id: command.id, observation: await carrier.observe() });
      return;
    case 'metrics':
      answer(agent, { kind: 'metrics', id: command.id, metrics: await carrier.metrics() });
      return;
    case 'stop':
      await stop(command.drainMs);
  }
};

const heard = async (line: string, agent: Socket): Promise<void> => {
  let command: Command | undefined;
  try {
    command = JSON.parse(line) as Command;
    await obey(command, agent);
  } catch (error) {
    log.error({ error: messageOf(error) }, 'a command of the agent failed');
    if (command !== undefined && 'id' in command) {
      answer(agent, { kind: 'failed', id: command.id, message: messageOf(error) });
    }
  }
};

const control = createSocketServer((agent) => {
  agents.add(agent);
  carrier.attend(true);
  agent.on('error', () => agent.destroy());
  agent.once('close', () => {
    agents.delete(agent);
    carrier.attend(agents.size > 0);
    if (agents.size === 0) void planFile.flush();
  });
  answer(agent, { kind: 'hello', pid: process.pid, gatewayPort, peerPort });
  readLines(agent, (line) => void heard(line, agent));
});

const stop = async (drainMs: number): Promise<void> => {
  if (stopping) return;
  stopping = true;
  await carrier.drain(drainMs);
  await planFile.flush();
  await access?.flush();
  await rm(settings.controlSocket, { force: true });
  log.info({}, 'the data plane stopped');
  process.exit(0);
};

process.on('SIGTERM', () => void stop(10_000));
process.on('SIGINT', () => void stop(10_000));
await restore();
let gatewayPort = 0;
let peerPort = 0;
try {
  ({ gatewayPort, peerPort } = await carrier.listen());
} catch (error) {
  console.error(messageOf(error));
  process.exit(cannotListenCode);
}
await rm(settings.controlSocket, { force: true });
const mask = process.umask(0o177);
control.listen(settings.controlSocket, () => process.umask(mask));
log.info({ gatewayPort, peerPort }, 'the data plane listens');
