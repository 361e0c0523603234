import type { Command } from 'commander';
import { createClient, query } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { numberValue } from '../option-values.ts';

const details = `
All nodes where the function lives get that many together, each about as many. More than the
function begins with (its minimum or 1, at each) stay until told otherwise; load may add some and
takes those away again. That many or fewer leave it to the load; with 0 the next call starts one.
Limits: com.openfaas.scale.min and .max at each node, and the node's own.

Examples:
  skein scale figlet 4
  skein scale figlet 0`;

export const define = (command: Command): void => {
  command
    .description('Sets how many replicas of a function run, at all nodes together.')
    .argument('<name>', 'the function')
    .argument('<replicas>', 'how many, 0 or more', numberValue)
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(scale);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

type ScaleFlags = { readonly namespace?: string };

const scale = async (name: string, replicas: number, { namespace }: ScaleFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const path = `/system/scale-function/${encodeURIComponent(name)}${query({ namespace })}`;
  const { headers } = await createClient(globals).request('POST', path, { serviceName: name, replicas, namespace });
  const reached = Number(headers.get('x-skein-replicas') ?? replicas);
  const silent = headers.get('x-skein-unreachable')?.split(', ') ?? [];
  if (globals.json) {
    console.log(JSON.stringify({ name, replicas: reached, ...(silent.length > 0 && { unreachable: silent }) }));
  } else if (!globals.quiet) {
    const bounds = reached === replicas ? '' : ', which is what its limits allow';
    const but = silent.length === 0 ? '' : `, but not what runs at ${silent.join(', ')}: no answer`;
    console.log(`scaled ${name} to ${reached}${bounds}${but}`);
  }
};
