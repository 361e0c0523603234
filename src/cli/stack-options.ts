import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Stack, StackFunction } from '../builder/stack-file.ts';
import { defaultGateway } from './client.ts';
import { givenGlobal, globalsOf, type Globals } from './globals.ts';
import { terminalLog } from './terminal-log.ts';
import { UsageError } from './usage-error.ts';

export type StackFlags = { readonly yaml?: string; readonly filter?: string; readonly regex?: string };

/** Named as faas-cli names them. */
export const addStackOptions = (command: Command): Command =>
  command
    .option('-f, --yaml <file>', 'stack.yml of OpenFaaS that names the functions')
    .option('--filter <wildcard>', "only the file's functions of such names: 'api-*'")
    .option('--regex <pattern>', "only the file's functions whose names match");

/** A stack file, read and filtered, and the gateway that it, the command line and the environment agree on. */
export type ChosenStack = { readonly functions: readonly StackFunction[]; readonly globals: Globals };

/**
 * Reads the file that the flags name (or `file`). What it says without effect is told in one warning. undefined when there
 * is none. `UsageError` for flags that need one.
 */
export const chosenStack = async (
  command: Command,
  { yaml, filter, regex }: StackFlags,
  file = yaml,
): Promise<ChosenStack | undefined> => {
  if (filter !== undefined && regex !== undefined) throw new UsageError('give --filter or --regex, not both');
  if (file === undefined) {
    if (filter === undefined && regex === undefined) return undefined;
    throw new UsageError('--filter and --regex choose from a stack file: name it with --yaml');
  }
  const [{ readStackFile }, { pickFunctions }] = await Promise.all([
    import('../builder/stack-file.ts'),
    import('../builder/pick-functions.ts'),
  ]);
  const stack = await readStackFile(file, process.env);
  if (stack.functions.length === 0) throw new UsageError(`${file} has no functions`);
  if (stack.ignored.length > 0) {
    terminalLog.warn({}, `${file}: ${stack.ignored.join(', ')} mean nothing for bundles and are ignored`);
  }
  const picked = { ...(filter === undefined ? {} : { filter }), ...(regex === undefined ? {} : { regex }) };
  return { functions: pickFunctions(stack.functions, picked), globals: globalsFor(command, file, stack) };
};

/** As faas-cli: the flag is over the file, and the file, unless it says the usual, over the environment. */
const globalsFor = (command: Command, file: string, { gateway }: Stack): Globals => {
  const globals = globalsOf(command);
  if (gateway === undefined || givenGlobal(command, 'gateway') !== undefined) return globals;
  const url = gateway.replace(/\/+$/, '');
  if (url === defaultGateway || url === globals.gateway?.replace(/\/+$/, '')) return globals;
  // The password that lies in the data folder is for a node of this machine: no file sends it elsewhere.
  if (globals.passwordFile === undefined && !isLoopback(url) && existsSync(join(globals.data, 'admin-password'))) {
    throw new UsageError(
      `${file} names the gateway ${url}: say --gateway ${url} or --password-file to send it a password`,
    );
  }
  return { ...globals, gateway: url };
};

const isLoopback = (url: string): boolean =>
  URL.canParse(url) && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);

/** What OpenFaaS calls the file where nobody names it. */
export const usualStackFile = (): string | undefined => ['stack.yml', 'stack.yaml'].find((file) => existsSync(file));
