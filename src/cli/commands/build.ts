import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { build, type Built } from '../../builder/build.ts';
import type { StackFunction } from '../../builder/stack-file.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf, type Globals } from '../globals.ts';
import { Outcomes } from '../outcomes.ts';
import { buildAndPush, nameOfFolder, pushBundle } from '../push-bundle.ts';
import { addStackOptions, chosenStack, type StackFlags } from '../stack-options.ts';
import { terminalLog } from '../terminal-log.ts';
import { UsageError } from '../usage-error.ts';

const details = `
A folder with a handler (handler.js, index.ts, or "main" of its package.json) becomes one ES module
with everything it imports; what cannot be bundled is taken along. A skein.json in the folder may
say otherwise: another entry, files that the function reads, or "mode": "http" with any command that
listens. Install the function's packages first: nothing is installed or downloaded here. The same
sources give the same digest.

Examples:
  skein build ./hello                                  writes hello.tar.gz
  skein build ./hello --image team/hello:1.2 --push    stores it at the gateway, for every node
  skein build -f stack.yml --filter 'api-*'            every such function of the file
  skein deploy ./hello                                 builds and deploys in one step`;

export const define = (command: Command): void => {
  command
    .description('Packs the folder of a function into a bundle.')
    .argument('[dir]', "the function's folder")
    .option('--image <name:tag>', 'what to call it (default: the name of the folder, :latest)')
    .option('--out <file>', 'where to write the bundle (default: NAME.tar.gz here, or nowhere with --push)')
    .option('--push', 'store it at the gateway, for every node')
    .addHelpText('after', details)
    .action(buildFolders);
  addStackOptions(command);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type BuildFlags = StackFlags & { readonly image?: string; readonly out?: string; readonly push?: boolean };

type Target = { readonly folder: string; readonly image: string; readonly name: string; readonly fprocess?: string };

const buildFolders = async (folder: string | undefined, flags: BuildFlags, command: Command): Promise<void> => {
  const stack = await chosenStack(command, flags);
  const globals = stack?.globals ?? globalsOf(command);
  if (stack !== undefined && (folder ?? flags.image ?? flags.out) !== undefined) {
    throw new UsageError('a stack.yml names folders and images: give neither DIR nor --image nor --out with it');
  }
  if (stack === undefined) {
    const result = await buildOne(oneTarget(folder, flags), flags, globals);
    if (globals.json) console.log(JSON.stringify(result));
    return;
  }
  const targets = stackTargets(stack.functions);
  const outcomes = new Outcomes(targets.map(({ name }) => name));
  for (const [at, target] of targets.entries()) {
    await outcomes.attempt(at, async () => ({ outcome: 'built', ...(await buildOne(target, flags, globals)) }));
  }
  outcomes.end(globals.json);
};

const oneTarget = (folder: string | undefined, flags: BuildFlags): Target => {
  if (folder === undefined) throw new UsageError("name the function's folder, or a stack.yml with --yaml");
  const name = nameOfFolder(folder);
  return { folder, name, image: flags.image ?? name };
};

const stackTargets = (functions: readonly StackFunction[]): readonly Target[] => {
  const targets = functions.flatMap(({ folder, deployment: { service, image, envProcess } }) =>
    folder === undefined
      ? []
      : [{ folder, image, name: service, ...(envProcess === undefined ? {} : { fprocess: envProcess }) }],
  );
  if (targets.length > 0) return targets;
  throw new UsageError('none of these functions is built: each needs a handler, and no skip_build');
};

const buildOne = async (
  { folder, image, name, fprocess }: Target,
  flags: BuildFlags,
  globals: Globals,
): Promise<object> => {
  const client = flags.push === true ? createClient(globals) : undefined;
  const out = flags.out ?? (client === undefined ? `${name}.tar.gz` : undefined);
  let built: Built;
  if (out === undefined) built = await buildAndPush(folder, image, client!, fprocess);
  else {
    if (!existsSync(dirname(resolve(out))))
      throw new UsageError(`there is no folder ${dirname(out)} to write ${out} to`);
    built = await build({ folder, image, out, log: terminalLog, ...(fprocess === undefined ? {} : { fprocess }) });
    if (client !== undefined) await pushBundle(built, out, client);
  }
  const { digest, bytes } = built;
  if (!globals.json) {
    const places = [...(out === undefined ? [] : [out]), ...(client === undefined ? [] : [client.url])];
    const sentence = `built ${built.image} (${Math.ceil(bytes / 1024)} KiB) into ${places.join(' and ')}\n${digest}`;
    console.log(globals.quiet ? digest : sentence);
  }
  const places = { ...(out === undefined ? {} : { out }), ...(client === undefined ? {} : { gateway: client.url }) };
  return { image: built.image, digest, bytes, mode: built.manifest.mode, ...places };
};
