import type { Command } from 'commander';
import type { FunctionAtNode, FunctionStatus } from '../../domain/function.ts';
import { textTable } from '../../std/text-table.ts';
import { createClient } from '../client.ts';
import { functionPath } from '../function-path.ts';
import { addGlobals } from '../globals.ts';
import { chosenFunctions } from '../named-functions.ts';
import { addStackOptions, type StackFlags } from '../stack-options.ts';

const details = `
STATE says how what was deployed last does at each node: ready (its replicas are ready, or its first
call starts one), starting, behind (the node has not heard of it yet), elsewhere (it does not live
there) or unreachable. SERVED are the calls that its replicas ran, ENTERED those that came in from
its users; a call that was passed on is in both, at two nodes. CPU is in thousandths of a core.

Examples:
  skein describe figlet
  skein describe figlet --json | jq '.nodes[] | select(.state == "ready") | .node'
  skein describe -f stack.yml`;

export const define = (command: Command): void => {
  command
    .description('Shows how functions were deployed, and how they do at each node.')
    .argument('[name]', 'the function')
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(describe);
  addStackOptions(command);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json');
};

type DescribeFlags = StackFlags & { readonly namespace?: string };

const describe = async (name: string | undefined, flags: DescribeFlags, command: Command): Promise<void> => {
  const { functions, globals } = await chosenFunctions(command, name === undefined ? [] : [name], flags);
  const client = createClient(globals);
  const found: (FunctionStatus & { readonly url: string })[] = [];
  for (const one of functions) {
    const status = await client.describe(one.name, one.namespace);
    found.push({ ...status, url: `${client.url}${functionPath(one.name, one.namespace)}` });
  }
  // One that was named is an object, as OpenFaaS gives it; those of a file are a list.
  if (globals.json) console.log(JSON.stringify(name === undefined ? found : found[0]));
  else console.log(found.map(page).join('\n\n'));
};

const page = (status: FunctionStatus & { readonly url: string }): string => {
  const { replicas = 0, availableReplicas = 0, invocationCount = 0, usage, nodes = [] } = status;
  const rows: readonly (readonly [name: string, text: string | undefined])[] = [
    ['name', status.name],
    ['namespace', status.namespace],
    ['url', status.url],
    ['image', status.image],
    ['process', status.envProcess],
    ['deployed', status.createdAt],
    ['replicas', `${availableReplicas} ready of ${Math.max(replicas, availableReplicas)}`],
    ['calls', String(invocationCount)],
    ['usage', usage && `${cpu(usage)} CPU, ${memory(usage)}`],
    ['environment', pairs(status.envVars)],
    ['labels', pairs(status.labels)],
    ['annotations', pairs(status.annotations)],
    ['constraints', status.constraints?.join(', ')],
    ['secrets', status.secrets?.join(', ')],
    ['limits', pairs(status.limits)],
    ['requests', pairs(status.requests)],
  ];
  const shown = rows.filter(([, text]) => text !== undefined && text !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  const lines = shown.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
  const problems = nodes.flatMap(({ node, problem }) => (problem === undefined ? [] : [`${node}: ${problem}`]));
  return [...lines, ...(nodes.length === 0 ? [] : ['', tableOf(nodes), ...problems])].join('\n');
};

const tableOf = (nodes: readonly FunctionAtNode[]): string =>
  textTable(
    ['NODE', 'STATE', 'READY', 'SERVED', 'ENTERED', 'CPU', 'MEMORY'],
    nodes.map(({ node, state, replicas, availableReplicas, servedCount, invocationCount, usage }) => [
      node,
      state,
      state === 'unreachable' ? '-' : `${availableReplicas}/${Math.max(replicas, availableReplicas)}`,
      state === 'unreachable' ? '-' : String(servedCount),
      state === 'unreachable' ? '-' : String(invocationCount),
      usage === undefined ? '-' : cpu(usage),
      usage === undefined ? '-' : memory(usage),
    ]),
    ['left', 'left', 'right', 'right', 'right', 'right', 'right'],
  );

type Usage = NonNullable<FunctionStatus['usage']>;

const cpu = (usage: Usage): string => `${Math.round(usage.cpu)}m`;
const memory = (usage: Usage): string => `${Math.round(usage.totalMemoryBytes / 1024 ** 2)} MiB`;

const pairs = (map: object | null | undefined): string =>
  Object.entries(map ?? {})
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ');
