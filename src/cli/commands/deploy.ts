import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { StackFunction } from '../../builder/stack-file.ts';
import type { FunctionDeployment } from '../../domain/function.ts';
import { createClient, type Client } from '../client.ts';
import { firstProblem } from '../first-problem.ts';
import { functionPath } from '../function-path.ts';
import { addGlobals, globalsOf, type Globals } from '../globals.ts';
import { collect, collectPair, durationValue } from '../option-values.ts';
import { Outcomes } from '../outcomes.ts';
import { buildAndPush, nameOfFolder } from '../push-bundle.ts';
import { addStackOptions, chosenStack, usualStackFile, type StackFlags } from '../stack-options.ts';
import { untilReady } from '../until-ready.ts';
import { UsageError } from '../usage-error.ts';

const details = `
A folder is built and stored at the gateway first. stack.yml is OpenFaaS' file: every function in it
is built and deployed; options here are over what it says. Without an argument it is ./stack.yml.
NAME with --image deploys what is stored already. A function that is there is replaced; no call is
lost meanwhile.

All functions of a file are tried, whatever becomes of the others; the exit code is 1 when one
failed. What turns out within two seconds not to start is told as a warning. --wait goes on until
what was deployed answers at every node where it is to live: its replicas are ready there, or, with
com.openfaas.scale.min 0, the first call starts one.

Constraints say where a function lives: skein.node==node-2, skein.role==edge, label.zone==north
(or !=). Labels that mean something: dfaas.maxrate (calls a second, per node),
com.openfaas.scale.min and com.openfaas.scale.max (replicas per node).

Examples:
  skein deploy ./hello
  skein deploy ./hello --name greet --env GREETING=Hi --label dfaas.maxrate=50 --wait
  skein deploy -f stack.yml --filter 'api-*' --env DEBUG=true
  skein deploy ./checksum --fprocess sha512sum
  skein deploy greet --image team/hello:1.2 --constraint label.zone==north`;

export const define = (command: Command): void => {
  command
    .description('Deploys functions to the federation.')
    .argument('[what]', 'folder of a function, a stack.yml, or the name of a function with --image')
    .option('--image <name:tag>', 'image to deploy, or what to call the one that is built')
    .option('--name <name>', 'what to call the function (default: the name of the folder)')
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .option('--env <key=value>', 'environment variable; may be repeated', collectPair)
    .option('--label <key=value>', 'label; may be repeated', collectPair)
    .option('--annotation <key=value>', 'annotation; may be repeated', collectPair)
    .option('--constraint <rule>', 'where it may live; may be repeated', collect)
    .option('--secret <name>', 'secret it may read; may be repeated', collect)
    .option('--fprocess <command>', 'program to run for each call, for the classic watchdog')
    .option('--wait', 'wait until it answers at every node where it is to live')
    .option('--timeout <d>', 'longest wait for each function (default: 1m)', durationValue)
    .addHelpText('after', details)
    .action(deploy);
  addStackOptions(command);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type DeployFlags = StackFlags & {
  readonly image?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly label?: Readonly<Record<string, string>>;
  readonly annotation?: Readonly<Record<string, string>>;
  readonly constraint?: readonly string[];
  readonly secret?: readonly string[];
  readonly fprocess?: string;
  readonly wait?: boolean;
  readonly timeout?: number;
};

/** What to deploy; with the folder to build first, if any. */
type Wish = { readonly folder?: string; readonly deployment: FunctionDeployment };

const deploy = async (what: string | undefined, flags: DeployFlags, command: Command): Promise<void> => {
  const { wishes, globals } = await wishesOf(what, flags, command);
  const client = createClient(globals);
  const outcomes = new Outcomes(wishes.map(({ deployment }) => deployment.service));
  for (const [at, wish] of wishes.entries()) await outcomes.attempt(at, () => deployOne(wish, client, globals));
  const tell = globals.quiet ? () => {} : (line: string) => console.error(line);
  const { timeout: timeoutMs = 60_000 } = flags;
  const lookUntil = performance.now() + firstLookMs;
  for (const [at, { deployment }] of wishes.entries()) {
    await outcomes.attempt(at, async () => {
      const { service: name, namespace } = deployment;
      if (flags.wait === true) await untilReady(name, namespace, { client, tell, timeoutMs });
      if (flags.wait === true || globals.quiet) return {};
      const problem = await firstProblem(name, namespace, { client, until: lookUntil });
      if (problem === undefined) return {};
      tell(`skein: ${name} is deployed, but does not start at ${problem}`);
      return { problem };
    });
  }
  outcomes.end(globals.json);
};

/** What cannot start is known that soon, as a rule; a script is not to wait for more without `--wait`. */
const firstLookMs = 2000;

const deployOne = async (wish: Wish, client: Client, { json, quiet }: Globals): Promise<object> => {
  const { service: name, namespace } = wish.deployment;
  const deployment = await withBundle(wish, client);
  const outcome = await client.deploy(deployment);
  const url = `${client.url}${functionPath(name, namespace)}`;
  if (!json && !quiet) console.log(`${outcome} ${name} (${deployment.image}): ${url}`);
  return { image: deployment.image, outcome, url };
};

type Wishes = { readonly wishes: readonly Wish[]; readonly globals: Globals };

const wishesOf = async (what: string | undefined, flags: DeployFlags, command: Command): Promise<Wishes> => {
  if (what !== undefined && flags.yaml !== undefined) {
    throw new UsageError(`--yaml names what to deploy, and so does ${what}: give one of them`);
  }
  const file = flags.yaml ?? (what === undefined ? usualStackFile() : isStackFile(what) ? what : undefined);
  const stack = await chosenStack(command, flags, file);
  if (stack !== undefined) return { wishes: stackWishes(stack.functions, flags), globals: stack.globals };
  return { wishes: [oneWish(what, flags)], globals: globalsOf(command) };
};

const isStackFile = (what: string): boolean => /\.ya?ml$/.test(what) || (existsSync(what) && statSync(what).isFile());

const oneWish = (what: string | undefined, flags: DeployFlags): Wish => {
  if (what === undefined) {
    throw new UsageError('name the folder of a function, a stack.yml (there is none here), or a function with --image');
  }
  if (existsSync(what)) {
    const name = flags.name ?? nameOfFolder(what);
    return { folder: what, deployment: deploymentOf(name, flags.image ?? name, flags) };
  }
  if (flags.image !== undefined) return { deployment: deploymentOf(flags.name ?? what, flags.image, flags) };
  throw new UsageError(`there is no folder ${what}; to deploy a function of that name, say which --image`);
};

/** Flags are over what the file says of each of its functions. */
const stackWishes = (functions: readonly StackFunction[], flags: DeployFlags): readonly Wish[] => {
  if (flags.name !== undefined || flags.image !== undefined) {
    throw new UsageError('--name and --image are for one function: a stack.yml names its own');
  }
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
    ...(flags.secret === undefined ? {} : { secrets: [...new Set([...(deployment.secrets ?? []), ...flags.secret])] }),
  };
  return { deployment: merged, ...(folder === undefined ? {} : { folder }) };
};

const deploymentOf = (service: string, image: string, flags: DeployFlags): FunctionDeployment => ({
  service,
  image,
  ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
  ...(flags.fprocess === undefined ? {} : { envProcess: flags.fprocess }),
  ...(flags.env === undefined ? {} : { envVars: flags.env }),
  ...(flags.label === undefined ? {} : { labels: flags.label }),
  ...(flags.annotation === undefined ? {} : { annotations: flags.annotation }),
  ...(flags.constraint === undefined ? {} : { constraints: [...flags.constraint] }),
  ...(flags.secret === undefined ? {} : { secrets: [...flags.secret] }),
});

/** The deployment with its image stored, pinned to nothing: the gateway pins what the name means when it is deployed. */
const withBundle = async ({ folder, deployment }: Wish, client: Client): Promise<FunctionDeployment> => {
  if (folder === undefined) return deployment;
  const { image } = await buildAndPush(folder, deployment.image, client, deployment.envProcess);
  return { ...deployment, image };
};
