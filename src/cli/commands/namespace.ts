import type { Command } from 'commander';
import { z } from 'zod';
import { functionNamespace } from '../../gateway/needs.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { collectPair } from '../option-values.ts';

const details = `
Functions and secrets of one name can be in several namespaces. A function NAME of namespace TEAM is
called at /function/NAME.TEAM. What names no namespace is in openfaas-fn, which is always there.

Examples:
  skein namespace create team-a --annotation owner=ada
  skein deploy ./hello --namespace team-a
  skein invoke hello --namespace team-a
  skein namespace list`;

export const define = (command: Command): void => {
  command.description('Keeps the functions of teams apart.').helpCommand(false).addHelpText('after', details);
  const sub = (name: string, summary: string): Command =>
    command.command(name).summary(summary).description(`${summary}.`);
  const writer = (verb: 'create' | 'update', summary: string, method: string): Command =>
    sub(verb, summary)
      .argument('<name>', 'the namespace')
      .option('--label <key=value>', 'label; may be repeated', collectPair)
      .option('--annotation <key=value>', 'annotation; may be repeated', collectPair)
      .action((name: string, flags: WriteFlags, command: Command) => write(method, `${verb}d`, name, flags, command));
  const commands = [
    sub('list', 'List the names of all namespaces').action((_, command: Command) => list(command)),
    writer('create', 'Make a namespace', 'POST'),
    sub('describe', 'Show one namespace').argument('<name>', 'the namespace').action(describe),
    writer('update', 'Replace labels and annotations of a namespace', 'PUT'),
    sub('remove', 'Remove a namespace that holds no functions, with its secrets')
      .argument('<name>', 'the namespace')
      .action(remove),
  ];
  for (const one of commands) addGlobals(one, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type Pairs = Readonly<Record<string, string>>;
type WriteFlags = { readonly label?: Pairs; readonly annotation?: Pairs };

/** By this OpenFaaS knows which namespaces are its own. */
const own = { openfaas: '1' };

const pathOf = (name: string): string => `/system/namespace/${encodeURIComponent(name)}`;

const list = async (command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const response = await createClient(globals).request('GET', '/system/namespaces');
  const names = z.array(z.string()).parse(await response.json());
  if (globals.json) console.log(JSON.stringify(names));
  else for (const name of names) console.log(name);
};

const describe = async (name: string, _: object, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const response = await createClient(globals).request('GET', pathOf(name));
  const namespace = functionNamespace.parse(await response.json());
  if (globals.json) {
    console.log(JSON.stringify(namespace));
    return;
  }
  const rows = [
    ['name', namespace.name],
    ['labels', pairs(namespace.labels)],
    ['annotations', pairs(namespace.annotations)],
  ] as const;
  for (const [what, text] of rows) if (text !== '') console.log(`${what.padEnd(11)}  ${text}`);
};

const write = async (
  method: string,
  done: string,
  name: string,
  { label = {}, annotation = {} }: WriteFlags,
  command: Command,
): Promise<void> => {
  const body = { name, labels: { ...label, ...own }, annotations: annotation };
  await createClient(globalsOf(command)).request(method, pathOf(name), body);
  tell(command, done, name);
};

const remove = async (name: string, _: object, command: Command): Promise<void> => {
  await createClient(globalsOf(command)).request('DELETE', pathOf(name), { name, labels: own });
  tell(command, 'removed', name);
};

const tell = (command: Command, done: string, name: string): void => {
  const globals = globalsOf(command);
  if (globals.json) console.log(JSON.stringify({ name, outcome: done }));
  else if (!globals.quiet) console.log(`${done} namespace ${name}`);
};

const pairs = (map: Pairs): string =>
  Object.entries(map)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
