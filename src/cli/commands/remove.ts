import type { Command } from 'commander';
import { createClient } from '../client.ts';
import { addGlobals } from '../globals.ts';
import { chosenFunctions } from '../named-functions.ts';
import { addStackOptions, type StackFlags } from '../stack-options.ts';

const details = `
Calls that run are finished. The function goes at every node, also at those that are away now.

Examples:
  skein remove figlet
  skein remove figlet shasum --namespace team-a
  skein remove -f stack.yml`;

export const define = (command: Command): void => {
  command
    .description('Removes functions from the federation.')
    .argument('[names...]', 'the functions')
    .option('--namespace <name>', "their namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(remove);
  addStackOptions(command);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type RemoveFlags = StackFlags & { readonly namespace?: string };

const remove = async (names: readonly string[], flags: RemoveFlags, command: Command): Promise<void> => {
  const { functions, globals } = await chosenFunctions(command, names, flags);
  const client = createClient(globals);
  const results: object[] = [];
  for (const { name, namespace } of functions) {
    await client.remove(name, namespace);
    results.push({ name, outcome: 'removed' });
    if (!globals.quiet && !globals.json) console.log(`removed ${name}`);
  }
  if (globals.json) console.log(JSON.stringify(results));
};
