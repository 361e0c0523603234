import type { Command } from 'commander';
import { createClient, query } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { numberValue } from '../option-values.ts';

const details = `
The node that is asked gets that many replicas, or where the function does not live there, one
where it does. More than the function begins with (its minimum, or 1) stay until told otherwise;
load may add some and takes those away again. That many or fewer leave it to the load; with 0
the next call starts one. Limits: com.openfaas.scale.min and .max, and the node's own.

Examples:
  skein scale figlet 4
  skein scale figlet 0 --gateway http://127.0.0.1:8081`;

export const define = (command: Command): void => {
  command
    .description('Sets how many replicas of a function run at a node.')
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
  await createClient(globals).request('POST', path, { serviceName: name, replicas, namespace });
  if (globals.json) console.log(JSON.stringify({ name, replicas }));
  else if (!globals.quiet) console.log(`scaled ${name} to ${replicas}`);
};
