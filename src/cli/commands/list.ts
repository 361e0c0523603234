import type { Command } from 'commander';
import type { FunctionStatus } from '../../domain/function.ts';
import { textTable } from '../../std/text-table.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf, type Globals } from '../globals.ts';
import { addStackOptions, chosenStack, type StackFlags } from '../stack-options.ts';

const details = `
Counts are sums over all nodes that answer: READY is the replicas that can take a call, CALLS the
calls so far. A function with 0 ready is started by its next call.

Examples:
  skein list
  skein list --namespace team-a --json
  skein list -f stack.yml            the file's functions, deployed or not
  skein list --quiet | xargs skein remove`;

export const define = (command: Command): void => {
  command
    .description('Lists the functions of a namespace.')
    .option('--namespace <name>', "namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(list);
  addStackOptions(command);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type ListFlags = StackFlags & { readonly namespace?: string };

const list = async (flags: ListFlags, command: Command): Promise<void> => {
  const stack = await chosenStack(command, flags);
  const globals = stack?.globals ?? globalsOf(command);
  const refs = stack?.functions.map(({ deployment }) => ({
    name: deployment.service,
    namespace: flags.namespace ?? deployment.namespace,
  }));
  const functions = await deployed(globals, refs, flags.namespace);
  const missing = (refs ?? []).map(({ name }) => name).filter((name) => !functions.some((one) => one.name === name));
  if (globals.json) console.log(JSON.stringify(functions));
  else if (globals.quiet) for (const { name } of functions) console.log(name);
  else if (functions.length + missing.length === 0) console.log('No functions. Deploy one with `skein deploy DIR`.');
  else console.log(tableOf(functions, missing));
};

type Ref = { readonly name: string; readonly namespace: string | undefined };

/** All functions of a namespace, or those of a file, each in its own. */
const deployed = async (
  globals: Globals,
  refs: readonly Ref[] | undefined,
  namespace: string | undefined,
): Promise<readonly FunctionStatus[]> => {
  const client = createClient(globals);
  if (refs === undefined) return client.list(namespace);
  const lists = await Promise.all(
    [...new Set(refs.map((ref) => ref.namespace))].map(async (namespace) => {
      const names = new Set(refs.filter((ref) => ref.namespace === namespace).map(({ name }) => name));
      return (await client.list(namespace)).filter(({ name }) => names.has(name));
    }),
  );
  return lists.flat();
};

const tableOf = (functions: readonly FunctionStatus[], missing: readonly string[]): string =>
  textTable(
    ['NAME', 'READY', 'CALLS', 'IMAGE'],
    [
      ...functions.map(({ name, availableReplicas = 0, replicas = 0, invocationCount = 0, image }) => [
        name,
        `${availableReplicas}/${Math.max(replicas, availableReplicas)}`,
        String(invocationCount),
        image,
      ]),
      ...missing.map((name) => [name, '-', '-', '(not deployed)']),
    ],
    ['left', 'right', 'right'],
  );
