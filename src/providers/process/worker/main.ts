import { deliverLogs } from './log-lines.ts';
import { loadHandler } from './load.ts';
import { warm } from './warm.ts';
import { FunctionServer } from './server.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/**
 * A generic worker: it listens, warms up and waits; told what to be, it becomes that function for the rest of its life.
 * It runs under Node's permission model, so it may import nothing outside this folder but Node's own modules.
 */
const socketPath = process.argv[2] ?? '';
const server = new FunctionServer();
let specialised = false;

const tell = (message: FromWorker): void => {
  process.send?.(message);
};

/** The environment becomes exactly what is asked for: functions see nothing of the agent's. */
const replaceEnvironment = (env: Readonly<Record<string, string>>): void => {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
};

const become = async (message: ToWorker): Promise<void> => {
  replaceEnvironment(message.env);
  try {
    server.serve(await loadHandler(message.entry, message.handler));
  } catch (error) {
    console.error(error);
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    return;
  }
  specialised = true;
  tell({ kind: 'ready' });
};

const crash = (error: unknown): void => {
  console.error(error);
  process.exit(1);
};

deliverLogs();
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
process.on('SIGTERM', () => {
  if (!specialised) process.exit(0);
  server.drain(() => process.exit(0));
});
// The agent went. What is no function yet is of no use to anyone; a function goes on.
process.on('disconnect', () => {
  if (!specialised) process.exit(0);
});
process.once('message', (message) => void become(message as ToWorker));

await server.listen(socketPath);
await warm(socketPath);
tell({ kind: 'booted' });
