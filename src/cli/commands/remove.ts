import type { Command } from 'commander';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Calls that run are finished. The function goes at every node, also at those that are away now.

Examples:
  skein remove figlet
  skein remove figlet shasum --namespace team-a`;

export const define = (command: Command): void => {
  command
    .description('Removes functions from the federation.')
    .argument('<names...>', 'the functions')
    .option('--namespace <name>', "their namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(remove);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'quiet');
};

type RemoveFlags = { readonly namespace?: string };

const remove = async (names: readonly string[], { namespace }: RemoveFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const client = createClient(globals);
  for (const name of names) {
    await client.remove(name, namespace);
    if (!globals.quiet) console.log(`removed ${name}`);
  }
};
