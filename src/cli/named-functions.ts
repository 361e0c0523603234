import type { Command } from 'commander';
import { globalsOf, type Globals } from './globals.ts';
import { chosenStack, type StackFlags } from './stack-options.ts';
import { UsageError } from './usage-error.ts';

export type NamedFunction = { readonly name: string; readonly namespace?: string };

export type NamedFunctions = { readonly functions: readonly NamedFunction[]; readonly globals: Globals };

/** The functions that a command is about: those it names, or those of a stack file. `--namespace` is over the file. */
export const chosenFunctions = async (
  command: Command,
  names: readonly string[],
  flags: StackFlags & { readonly namespace?: string },
): Promise<NamedFunctions> => {
  const given = flags.namespace === undefined ? {} : { namespace: flags.namespace };
  const stack = await chosenStack(command, flags);
  if (stack === undefined) {
    if (names.length === 0) throw new UsageError('name a function, or a stack file with --yaml');
    return { functions: names.map((name) => ({ name, ...given })), globals: globalsOf(command) };
  }
  if (names.length > 0) throw new UsageError('name functions or a stack file, not both');
  const functions = stack.functions.map(({ deployment: { service, namespace } }) => ({
    name: service,
    ...(namespace === undefined ? {} : { namespace }),
    ...given,
  }));
  return { functions, globals: stack.globals };
};
