import type { Command } from 'commander';
import type { FunctionStatus } from '../../domain/function.ts';
import { textTable } from '../../std/text-table.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Counts are sums over all nodes that answer: READY is the replicas that can take a call, CALLS the
calls so far. A function with 0 ready is started by its next call.

Examples:
  skein list
  skein list --namespace team-a --json
  skein list --quiet | xargs skein remove`;

export const define = (command: Command): void => {
  command
    .description('Lists the functions of a namespace.')
    .option('--namespace <name>', "namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(list);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

const list = async ({ namespace }: { readonly namespace?: string }, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const functions = await createClient(globals).list(namespace);
  if (globals.json) console.log(JSON.stringify(functions));
  else if (globals.quiet) for (const { name } of functions) console.log(name);
  else console.log(functions.length === 0 ? 'No functions. Deploy one with `skein deploy DIR`.' : tableOf(functions));
};

const tableOf = (functions: readonly FunctionStatus[]): string =>
  textTable(
    ['NAME', 'READY', 'CALLS', 'IMAGE'],
    functions.map(({ name, availableReplicas = 0, replicas = 0, invocationCount = 0, image }) => [
      name,
      `${availableReplicas}/${Math.max(replicas, availableReplicas)}`,
      String(invocationCount),
      image,
    ]),
    ['left', 'right', 'right'],
  );
