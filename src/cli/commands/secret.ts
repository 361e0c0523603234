import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { z } from 'zod';
import { createClient, query } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { terminalLog } from '../terminal-log.ts';
import { UsageError } from '../usage-error.ts';

const details = `
A secret is kept sealed at every node and given, as a file, to the functions whose deployment names
it. Nobody can read it back.

Examples:
  skein secret create api-key < key.txt
  skein secret create api-key --from-file key.txt
  skein secret update api-key --from-file new-key.txt
  skein secret list`;

const valueDetails = `
The value is the file's bytes as they are, or what is piped in: at most 128 KiB, no line end is
taken away. --from-literal takes it from the command line, which others on this machine can read
and which the shell remembers: it is there for scripts that were written for faas-cli, and warns.

Examples:
  skein secret VERB api-key --from-file key.txt
  printf %s "$KEY" | skein secret VERB api-key`;

export const define = (command: Command): void => {
  command
    .description('Keeps what functions may know and others may not: keys, passwords, certificates.')
    .helpCommand(false)
    .addHelpText('after', details);
  const sub = (name: string, summary: string): Command => {
    const defined = command.command(name).summary(summary).description(`${summary}.`);
    return defined.option('--namespace <name>', "namespace (default: the gateway's own)");
  };
  const writer = (verb: 'create' | 'update', summary: string, method: string): Command =>
    sub(verb, summary)
      .argument('<name>', 'the secret')
      .option('--from-file <file>', 'where the value is (default: what is piped in)')
      .option('--from-literal <value>', 'the value itself; others on this machine can read it')
      .addHelpText('after', valueDetails.replaceAll('VERB', verb))
      .action((name: string, flags: ValueFlags, command: Command) => write(method, `${verb}d`, name, flags, command));
  const lister = sub('list', 'List the names of secrets').action(list);
  const commands = [
    writer('create', 'Keep a new secret', 'POST'),
    writer('update', 'Replace the value of a secret', 'PUT'),
    sub('remove', 'Remove a secret; functions that run keep it').argument('<name>', 'the secret').action(remove),
    lister,
  ];
  for (const one of commands) addGlobals(one, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

const path = '/system/secrets';

type Namespace = { readonly namespace?: string };
type ValueFlags = Namespace & { readonly fromFile?: string; readonly fromLiteral?: string };

const names = z.array(z.object({ name: z.string(), namespace: z.string().optional() }));

const list = async ({ namespace }: Namespace, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const response = await createClient(globals).request('GET', `${path}${query({ namespace })}`);
  const secrets = names.parse(await response.json());
  if (globals.json) console.log(JSON.stringify(secrets));
  else if (secrets.length > 0) for (const { name } of secrets) console.log(name);
  else if (!globals.quiet) console.log('No secrets. Keep one with `skein secret create NAME --from-file FILE`.');
};

const write = async (
  method: string,
  done: string,
  name: string,
  flags: ValueFlags,
  command: Command,
): Promise<void> => {
  const globals = globalsOf(command);
  const { namespace } = flags;
  const value = await valueOf(flags);
  if (value.length === 0) throw new UsageError('the value is empty: a secret holds at least one byte');
  await createClient(globals).request(method, path, { name, namespace, rawValue: value.toString('base64') });
  tell(globals, done, name);
};

const remove = async (name: string, { namespace }: Namespace, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  await createClient(globals).request('DELETE', `${path}${query({ namespace })}`, { name, namespace });
  tell(globals, 'removed', name);
};

const tell = (globals: { readonly json: boolean; readonly quiet: boolean }, done: string, name: string): void => {
  if (globals.json) console.log(JSON.stringify({ name, outcome: done }));
  else if (!globals.quiet) console.log(`${done} secret ${name}`);
};

const valueOf = async ({ fromFile, fromLiteral }: ValueFlags): Promise<Buffer> => {
  if (fromLiteral === undefined) return fromFile === undefined ? pipedValue() : fileValue(fromFile);
  if (fromFile !== undefined) throw new UsageError('give --from-file or --from-literal, not both');
  const why = 'the value was on the command line, which others on this machine can read and the shell remembers';
  terminalLog.warn({}, `${why}: pipe it in, or use --from-file`);
  return Buffer.from(fromLiteral);
};

const fileValue = (file: string): Buffer => {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read the value: ${(error as Error).message}`);
  }
};

const pipedValue = async (): Promise<Buffer> => {
  if (process.stdin.isTTY) throw new UsageError('pipe the value in, or name a file that holds it with --from-file');
  return buffer(process.stdin);
};
