import type { Command } from 'commander';
import { addConfigOptions, configOf } from '../config-options.ts';
import { addGlobals } from '../globals.ts';

const details = `
A node runs functions, answers the OpenFaaS API and shares load with its peers. The first node of
a federation makes the key that all of them hold (DIR/federation.key): copy it to the others, and
name any one node in federation.bootstrap. SIGTERM or Ctrl-C drains and stops it; if the agent
dies, calls go on, and the next start takes over what runs.

Examples:
  skein node
  skein node --config skein.yaml
  skein node --node-name edge-2 --federation-bootstrap 10.0.0.1:11080 --peer-listen 10.0.0.2:10080`;

/** How long running calls may take to end once the node is told to stop. */
const drainMs = 10_000;

export const define = (command: Command): void => {
  command.description('Runs one node of a federation in the foreground.').addHelpText('after', details).action(run);
  addConfigOptions(command);
  addGlobals(command, 'config', 'data');
};

const run = async (_flags: object, command: Command): Promise<void> => {
  const { config } = configOf(command);
  const [{ runNode }, { createLogger }] = await Promise.all([
    import('../run-node.ts'),
    import('../../telemetry/logger.ts'),
  ]);
  const log = createLogger({
    level: config.log.level,
    format: config.log.format === 'pretty' ? 'human' : 'json',
    fields: { node: config.node.name },
  });
  process.on('unhandledRejection', (error) => {
    log.error(
      { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      'a fault in the agent',
    );
  });
  const wantsToStop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  const node = await runNode(config, log);
  await wantsToStop;
  await node.stop(drainMs);
  process.exit(0);
};
