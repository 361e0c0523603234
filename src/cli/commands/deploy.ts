import { existsSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { SkeinError } from '../../domain/errors.ts';
import type { StackFunction } from '../../builder/stack-file.ts';
import type { FunctionDeployment } from '../../domain/function.ts';
import { createClient, type Client } from '../client.ts';
import { functionPath } from '../function-path.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { collect, collectPair } from '../option-values.ts';
import { buildAndPush, nameOfFolder } from '../push-bundle.ts';
import { UsageError } from '../usage-error.ts';

const details = `
DIR is built and stored at the gateway first. stack.yml is OpenFaaS' file: every function in it is
built and deployed; options here are over what it says. NAME with --image deploys what is stored
already. A function that is there is replaced; no call is lost meanwhile.

Constraints say where a function lives: skein.node==node-2, skein.role==edge, label.zone==north
(or !=). Labels that mean something: dfaas.maxrate (calls a second, per node),
com.openfaas.scale.min and com.openfaas.scale.max (replicas per node).

Examples:
  skein deploy ./hello
  skein deploy ./hello --name greet --env GREETING=Hi --label dfaas.maxrate=50 --wait
  skein deploy stack.yml
  skein deploy greet --image team/hello:1.2 --constraint label.zone==north`;

export const define = (command: Command): void => {
  command
    .description('Deploys functions to the federation.')
    .argument('<what>', 'folder of a function, a stack.yml, or the name of a function with --image')
    .option('--image <name:tag>', 'image to deploy, or what to call the one that is built')
    .option('--name <name>', 'what to call the function (default: the name of the folder)')
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .option('--env <key=value>', 'environment variable; may be repeated', collectPair)
    .option('--label <key=value>', 'label; may be repeated', collectPair)
    .option('--annotation <key=value>', 'annotation; may be repeated', collectPair)
    .option('--constraint <rule>', 'where it may live; may be repeated', collect)
    .option('--secret <name>', 'secret it may read; may be repeated', collect)
    .option('--wait', 'wait until the replicas it is to have are ready, at most a minute')
    .addHelpText('after', details)
    .action(deploy);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type DeployFlags = {
  readonly image?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly label?: Readonly<Record<string, string>>;
  readonly annotation?: Readonly<Record<string, string>>;
  readonly constraint?: readonly string[];
  readonly secret?: readonly string[];
  readonly wait?: boolean;
};

/** What to deploy; with the folder to build first, if any. */
type Wish = { readonly folder?: string; readonly deployment: FunctionDeployment };

const deploy = async (what: string, flags: DeployFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const wishes = await wishesOf(what, flags);
  const client = createClient(globals);
  const results: object[] = [];
  for (const wish of wishes) {
    const { service: name, namespace } = wish.deployment;
    const deployment = await withBundle(wish, client);
    const outcome = await client.deploy(deployment);
    if (flags.wait === true) await untilReady(name, namespace, client);
    const url = `${client.url}${functionPath(name, namespace)}`;
    results.push({ name, image: deployment.image, outcome, url });
    if (!globals.json && !globals.quiet) console.log(`${outcome} ${name} (${deployment.image}): ${url}`);
  }
  if (globals.json) console.log(JSON.stringify(results));
};

const wishesOf = async (what: string, flags: DeployFlags): Promise<readonly Wish[]> => {
  const kind = existsSync(what) ? (statSync(what).isDirectory() ? 'folder' : 'file') : 'name';
  if (kind === 'folder') {
    const name = flags.name ?? nameOfFolder(what);
    return [{ folder: what, deployment: deploymentOf(name, flags.image ?? name, flags) }];
  }
  if (kind === 'file' || /\.ya?ml$/.test(what)) return stackWishes(what, flags);
  if (flags.image !== undefined) return [{ deployment: deploymentOf(flags.name ?? what, flags.image, flags) }];
  throw new UsageError(`there is no folder ${what}; to deploy a function of that name, say which --image`);
};

/** Flags are over what the file says of each of its functions. */
const stackWishes = async (file: string, flags: DeployFlags): Promise<readonly Wish[]> => {
  if (flags.name !== undefined || flags.image !== undefined) {
    throw new UsageError('--name and --image are for one function: a stack.yml names its own');
  }
  const { readStackFile } = await import('../../builder/stack-file.ts');
  const functions = await readStackFile(file, process.env);
  if (functions.length === 0) throw new UsageError(`${file} has no functions`);
  return functions.map((entry) => stackWish(entry, flags));
};

const stackWish = ({ folder, deployment }: StackFunction, flags: DeployFlags): Wish => {
  const over = deploymentOf(deployment.service, deployment.image, flags);
  const merged: FunctionDeployment = {
    ...deployment,
    ...over,
    envVars: { ...deployment.envVars, ...over.envVars },
    labels: { ...deployment.labels, ...over.labels },
    annotations: { ...deployment.annotations, ...over.annotations },
  };
  return { deployment: merged, ...(folder === undefined ? {} : { folder }) };
};

const deploymentOf = (service: string, image: string, flags: DeployFlags): FunctionDeployment => ({
  service,
  image,
  ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
  ...(flags.env === undefined ? {} : { envVars: flags.env }),
  ...(flags.label === undefined ? {} : { labels: flags.label }),
  ...(flags.annotation === undefined ? {} : { annotations: flags.annotation }),
  ...(flags.constraint === undefined ? {} : { constraints: [...flags.constraint] }),
  ...(flags.secret === undefined ? {} : { secrets: [...flags.secret] }),
});

/** The deployment with its image stored, pinned to nothing: the gateway pins what the name means when it is deployed. */
const withBundle = async ({ folder, deployment }: Wish, client: Client): Promise<FunctionDeployment> => {
  if (folder === undefined) return deployment;
  const { image } = await buildAndPush(folder, deployment.image, client);
  return { ...deployment, image };
};

const waitMs = 60_000;
const askEveryMs = 200;

/** A function that asks for no replicas is ready when it is known: its first call starts one. */
const untilReady = async (name: string, namespace: string | undefined, client: Client): Promise<void> => {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const { labels, replicas = 0, availableReplicas = 0 } = await client.describe(name, namespace);
    const wanted = Math.max(replicas, Number(labels?.['com.openfaas.scale.min'] ?? 0));
    if (availableReplicas >= wanted) return;
    if (performance.now() > giveUpAt) {
      const message = `${name} is deployed, but only ${availableReplicas} of ${wanted} replicas are ready after a minute`;
      throw new SkeinError('timeout', `${message}: \`skein describe ${name}\` shows how it goes on`);
    }
    await pause(askEveryMs);
  }
};
