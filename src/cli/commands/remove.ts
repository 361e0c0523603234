import type { Command } from 'commander';
import { createClient } from '../client.ts';
import { addGlobals } from '../globals.ts';
import { chosenFunctions } from '../named-functions.ts';
import { Outcomes } from '../outcomes.ts';
import { addStackOptions, type StackFlags } from '../stack-options.ts';

const details = `
Calls that run are finished. The function goes at every node, also at those that are away now. All
that are named are tried, whatever becomes of the others.

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
  const outcomes = new Outcomes(functions.map(({ name }) => name));
  for (const [at, { name, namespace }] of functions.entries()) {
    await outcomes.attempt(at, async () => {
      await client.remove(name, namespace);
      if (!globals.quiet && !globals.json) console.log(`removed ${name}`);
      return { outcome: 'removed' };
    });
  }
  outcomes.end(globals.json);
};
