import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { build, type Built } from '../../builder/build.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { buildAndPush, nameOfFolder, pushBundle } from '../push-bundle.ts';
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
  skein deploy ./hello                                 builds and deploys in one step`;

export const define = (command: Command): void => {
  command
    .description('Packs the folder of a function into a bundle.')
    .argument('<dir>', "the function's folder")
    .option('--image <name:tag>', 'what to call it (default: the name of the folder, :latest)')
    .option('--out <file>', 'where to write the bundle (default: NAME.tar.gz here, or nowhere with --push)')
    .option('--push', 'store it at the gateway, for every node')
    .addHelpText('after', details)
    .action(buildFolder);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type BuildFlags = { readonly image?: string; readonly out?: string; readonly push?: boolean };

const buildFolder = async (folder: string, flags: BuildFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const image = flags.image ?? nameOfFolder(folder);
  const client = flags.push === true ? createClient(globals) : undefined;
  const out = flags.out ?? (client === undefined ? `${nameOfFolder(folder)}.tar.gz` : undefined);
  let built: Built;
  if (out === undefined) built = await buildAndPush(folder, image, client!);
  else {
    if (!existsSync(dirname(resolve(out))))
      throw new UsageError(`there is no folder ${dirname(out)} to write ${out} to`);
    built = await build({ folder, image, out, log: terminalLog });
    if (client !== undefined) await pushBundle(built, out, client);
  }
  const { digest, bytes } = built;
  if (globals.json) {
    const places = { ...(out === undefined ? {} : { out }), ...(client === undefined ? {} : { gateway: client.url }) };
    console.log(JSON.stringify({ image: built.image, digest, bytes, mode: built.manifest.mode, ...places }));
  } else if (globals.quiet) console.log(digest);
  else {
    const places = [...(out === undefined ? [] : [out]), ...(client === undefined ? [] : [client.url])];
    console.log(`built ${built.image} (${Math.ceil(bytes / 1024)} KiB) into ${places.join(' and ')}\n${digest}`);
  }
};
