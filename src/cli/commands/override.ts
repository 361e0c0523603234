import type { Command } from 'commander';
import type { Override } from '../../gateway/needs.ts';
import { textTable } from '../../std/text-table.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf, type Globals } from '../globals.ts';
import { collect, collectPair } from '../option-values.ts';
import { UsageError } from '../usage-error.ts';

const details = `
Examples:
  skein override set figlet big --selector skein.node==node-3 --label dfaas.maxrate=24
  skein override list figlet
  skein override remove figlet big`;

const setDetails = `
What it names is added to the deployment at those nodes, or replaces what that says. All selectors
must hold (constraints, as for \`skein deploy\`); without one it is for every node. Several overrides
that pick the same node apply in the order of their ids. Removing the function removes them.

Examples:
  skein override set figlet small --selector skein.node==node-1 --label dfaas.maxrate=10
  skein override set figlet north --selector label.zone==north --env GREETING=Hei --limit cpu=100m`;

export const define = (command: Command): void => {
  command
    .description('Lets a function differ from node to node: labels, environment, limits.')
    .helpCommand(false)
    .addHelpText('after', details);
  const sub = (name: string, summary: string): Command => {
    const defined = command.command(name).summary(summary).description(`${summary}.`);
    return defined.option('--namespace <name>', "the function's namespace (default: the gateway's own)");
  };
  const setter = sub('set', 'Write or replace an override')
    .argument('<name>', 'the function')
    .argument('<id>', 'what to call the override')
    .option('--selector <rule>', 'which nodes; may be repeated', collect)
    .option('--label <key=value>', 'label; may be repeated', collectPair)
    .option('--env <key=value>', 'environment variable; may be repeated', collectPair)
    .option('--limit <key=value>', 'memory or cpu; may be repeated', collectPair)
    .addHelpText('after', setDetails)
    .action(set);
  const lister = sub('list', 'List the overrides of a function').argument('<name>', 'the function').action(list);
  const remover = sub('remove', 'Remove an override')
    .argument('<name>', 'the function')
    .argument('<id>', 'the override')
    .action(remove);
  for (const one of [setter, lister, remover]) addGlobals(one, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type Namespace = { readonly namespace?: string };

type SetFlags = Namespace & {
  readonly selector?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly limit?: Readonly<Record<string, string>>;
};

const set = async (name: string, id: string, flags: SetFlags, command: Command): Promise<void> => {
  const { selector = [], label, env, limit, namespace } = flags;
  if (label === undefined && env === undefined && limit === undefined) {
    throw new UsageError('an override changes something: give --label, --env or --limit');
  }
  const globals = globalsOf(command);
  const override: Override = {
    id,
    selector: [...selector],
    ...(label === undefined ? {} : { labels: label }),
    ...(env === undefined ? {} : { envVars: env }),
    ...(limit === undefined ? {} : { limits: limit }),
  };
  await createClient(globals).setOverride(name, override, namespace);
  tell(globals, 'set', name, id);
};

const list = async (name: string, { namespace }: Namespace, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const overrides = await createClient(globals).overrides(name, namespace);
  if (globals.json) console.log(JSON.stringify(overrides));
  else if (globals.quiet) for (const { id } of overrides) console.log(id);
  else console.log(overrides.length === 0 ? `${name} is the same at every node.` : tableOf(overrides));
};

const tableOf = (overrides: readonly Override[]): string =>
  textTable(
    ['ID', 'SELECTOR', 'LABELS', 'ENVIRONMENT', 'LIMITS'],
    overrides.map(({ id, selector, labels, envVars, limits }) => [
      id,
      selector.length === 0 ? '(every node)' : selector.join(', '),
      pairs(labels),
      pairs(envVars),
      pairs(limits),
    ]),
  );

const pairs = (map: object | undefined): string =>
  Object.entries(map ?? {})
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ') || '-';

const remove = async (name: string, id: string, { namespace }: Namespace, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  await createClient(globals).removeOverride(name, id, namespace);
  tell(globals, 'removed', name, id);
};

const tell = ({ json, quiet }: Globals, done: string, name: string, id: string): void => {
  if (json) console.log(JSON.stringify({ function: name, id, outcome: done }));
  else if (!quiet) console.log(`${done} override ${id} of ${name}`);
};
