import { basename, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { SkeinError } from '../../domain/errors.ts';
import { loadOrCreateFederationKey } from '../../membership/federation-key.ts';
import { loadOrCreateSecret } from '../../membership/secret-file.ts';
import { readPidFile, removePidFile, writePidFile } from '../../std/pid-file.ts';
import { strategyNamed, strategyNames } from '../../strategies/registry.ts';
import { createClient } from '../client.ts';
import { makeDataFolder } from '../data-folder.ts';
import { readFederation } from '../federation-client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { liveTable, perSecond, type Sample } from '../live-table.ts';
import { checkPorts, LocalFederation, portsFrom, urlOf, type FederationPlan } from '../run-federation.ts';
import { adminPasswordFile, federationKeyFile, newPassword } from '../node-files.ts';
import { suggest } from '../option-values.ts';
import { buildSamples, deploySamples } from '../samples.ts';
import { endNode, nodeFolders, runsNode } from '../sweep.ts';
import { UsageError } from '../usage-error.ts';

const details = `
Nodes are called node-1, node-2, … and listen on loopback: gateways from --port on, metrics 1000
above, peers 2000 above, membership 3000 above. Ctrl-C, or \`skein down\` elsewhere, stops everything;
functions and settings stay in the data folder.

Examples:
  skein up
  skein up --nodes 5 --capacity 2,4,4,8,8 --port 9000
  skein up --strategy all-local            # no sharing: see what it is good for`;

const defaultCapacity = [4, 8, 16];
const tableMs = 1_000;
const lineMs = 10_000;
/** A port and three thousands above it. */
const maxPort = 65_535 - 3_000;

type UpFlags = {
  readonly nodes: number;
  readonly port: number;
  readonly strategy: string;
  readonly dataPlane: string;
  readonly capacity?: readonly number[];
  /** Commander sets no default for an option that is added while a command is read. */
  readonly samples?: false;
};

export const define = (command: Command): void => {
  command
    .description('Starts a federation on this machine, with sample functions, and shows what it does.')
    .option('--nodes <n>', 'how many nodes, 1 to 50', whole('nodes', 1, 50), 3)
    .option('--port <p>', 'port of the first gateway; the others follow', whole('port', 1, maxPort), 8080)
    .option('--capacity <list>', 'slots of each node: how many calls it runs at once (default: 4,8,16)', capacityList)
    .option('--strategy <name>', `how load is shared: ${strategyNames.join(', ')}`, 'least-loaded')
    .addOption(
      new Option('--data-plane <kind>', 'what carries requests').choices(['embedded', 'haproxy']).default('embedded'),
    )
    .option('--no-samples', 'do not deploy the sample functions')
    .addHelpText('after', details)
    .action(up);
  suggest(
    command.options.find(({ long }) => long === '--strategy'),
    strategyNames,
  );
  addGlobals(command, 'data', 'quiet');
};

const up = async (flags: UpFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const data = resolve(globals.data);
  const plan = await planOf(flags, data);
  const upFile = join(data, 'up.pid');
  const other = readPidFile(upFile);
  if (other !== undefined) {
    throw new SkeinError(
      'unavailable',
      `a federation runs already in ${data} (pid ${other.pid}): \`skein down\` stops it`,
    );
  }
  const say = (line: string): void => {
    if (!globals.quiet) console.log(line);
  };
  // What a crash left behind would hold the ports.
  const left = nodeFolders(data).filter(runsNode);
  if (left.length > 0) say(`ending what an earlier run left: ${left.map((folder) => basename(folder)).join(', ')}`);
  await Promise.all(nodeFolders(data).map(endNode));
  await checkPorts(plan.nodes);
  writePidFile(upFile, process.pid);

  const federation = new LocalFederation(plan, say);
  const stopped = stopOnSignal(federation, say);
  try {
    federation.start();
    const [built] = await Promise.all([
      flags.samples !== false ? buildSamples() : { samples: [], dispose: async () => undefined },
      Promise.race([federation.ready(), stopped.wanted]),
    ]);
    if (!stopped.now()) {
      const gateway = urlOf(plan.nodes[0]!);
      let names: readonly string[];
      try {
        names = await deploySamples(built.samples, createClient({ ...globals, data, gateway }));
      } finally {
        await built.dispose();
      }
      if (!globals.quiet) console.log(welcome(plan, names));
      await show(plan, stopped, say);
    }
  } finally {
    await federation.stop();
    await Promise.all(plan.nodes.map(({ name }) => endNode(join(data, name))));
    removePidFile(upFile);
  }
  process.exit(0);
};

const planOf = async (flags: UpFlags, data: string): Promise<FederationPlan> => {
  const strategy = nameOfStrategy(flags.strategy);
  const capacity = flags.capacity ?? defaultCapacity;
  if (flags.capacity !== undefined && capacity.length !== flags.nodes) {
    throw new UsageError(`--capacity names ${capacity.length} nodes and --nodes ${flags.nodes}: make them agree`);
  }
  makeDataFolder(data);
  await loadOrCreateFederationKey(federationKeyFile(data));
  const password = await loadOrCreateSecret(adminPasswordFile(data), 'the admin password', newPassword);
  const nodes = Array.from({ length: flags.nodes }, (_, index) => ({
    name: `node-${index + 1}`,
    slots: capacity[index % capacity.length]!,
    ports: portsFrom(flags.port + index),
  }));
  return { data, nodes, strategy, dataPlane: flags.dataPlane, password: password.trim() };
};

const nameOfStrategy = (text: string): string => {
  try {
    return strategyNamed(text).name;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
};

type Stopping = { readonly wanted: Promise<void>; now(): boolean };

/** The first signal stops everything in order, the second at once. */
const stopOnSignal = (federation: LocalFederation, say: (line: string) => void): Stopping => {
  let wanted = false;
  return {
    now: () => wanted,
    wanted: new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => {
          if (wanted) return federation.kill();
          wanted = true;
          say('\nstopping; once more to stop at once');
          resolve();
        });
      }
    }),
  };
};

const welcome = ({ nodes, data }: FederationPlan, functions: readonly string[]): string => {
  const first = urlOf(nodes[0]!);
  return [
    '',
    ...nodes.map((node) => `  ${node.name}  ${urlOf(node)}  ${node.slots} slots`),
    '',
    ...(functions.length > 0 ? [`  functions  ${functions.join(', ')}`] : []),
    `  password   ${adminPasswordFile(data)} (user admin)`,
    '',
    'Try:',
    ...(functions.includes('figlet') ? [`  curl ${first}/function/figlet -d 'Hello'`] : []),
    ...(functions.includes('burn')
      ? [`  ./bin/skein load '${first}/function/burn?sleep=50' --rate 300 --duration 20s`]
      : []),
    `  ./bin/skein status --gateway ${first}`,
    '',
  ].join('\n');
};

/** A table that renews itself on a terminal; elsewhere a line a node now and then, where something happened. */
const show = async (plan: FederationPlan, stopping: Stopping, say: (line: string) => void): Promise<void> => {
  const terminal = process.stdout.isTTY;
  let before: Sample | undefined;
  let lines = 0;
  while (!stopping.now()) {
    const nodes = await Promise.all(
      plan.nodes.map(async (node) => ({ name: node.name, status: await readFederation(urlOf(node), plan.password) })),
    );
    const now = { at: performance.now(), nodes };
    if (stopping.now()) return;
    if (terminal) {
      const table = liveTable(before, now);
      if (lines > 0) process.stdout.write(`\u001B[${lines}A\u001B[J`);
      say(table);
      lines = table.split('\n').length;
    } else for (const line of happenings(before, now)) say(line);
    before = now;
    await Promise.race([pause(terminal ? tableMs : lineMs), stopping.wanted]);
  }
};

const happenings = (before: Sample | undefined, now: Sample): readonly string[] =>
  now.nodes.flatMap(({ name, status }) => {
    if (status === undefined) return [`${new Date().toISOString()} ${name} does not answer`];
    const rate = perSecond(before, now, name) ?? 0;
    if (rate === 0) return [];
    const { served, forwardedOut, forwardedIn, rejected } = status.traffic;
    return [
      `${new Date().toISOString()} ${name} served=${served} out=${forwardedOut} in=${forwardedIn} rejected=${rejected} per_second=${rate.toFixed(1)}`,
    ];
  });

function whole(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`${name} is a whole number from ${least} to ${most}.`);
  };
}

function capacityList(text: string): readonly number[] {
  const parse = whole('each capacity', 1, 1_000_000);
  return text.split(',').map((part) => parse(part.trim()));
}
