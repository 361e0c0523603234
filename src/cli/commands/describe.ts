import type { Command } from 'commander';
import type { FunctionStatus } from '../../domain/function.ts';
import { createClient } from '../client.ts';
import { functionPath } from '../function-path.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Examples:
  skein describe figlet
  skein describe figlet --json`;

export const define = (command: Command): void => {
  command
    .description('Shows one function: how it was deployed and how it does.')
    .argument('<name>', 'the function')
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(describe);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json');
};

type DescribeFlags = { readonly namespace?: string };

const describe = async (name: string, { namespace }: DescribeFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const client = createClient(globals);
  const status = await client.describe(name, namespace);
  const url = `${client.url}${functionPath(name, namespace)}`;
  console.log(globals.json ? JSON.stringify({ ...status, url }) : page(status, url));
};

const page = (status: FunctionStatus, url: string): string => {
  const { replicas = 0, availableReplicas = 0, invocationCount = 0 } = status;
  const rows: readonly (readonly [name: string, text: string | undefined])[] = [
    ['name', status.name],
    ['namespace', status.namespace],
    ['image', status.image],
    ['url', url],
    ['replicas', `${availableReplicas} ready of ${Math.max(replicas, availableReplicas)}`],
    ['calls', String(invocationCount)],
    ['deployed', status.createdAt],
    ['environment', pairs(status.envVars)],
    ['labels', pairs(status.labels)],
    ['annotations', pairs(status.annotations)],
    ['constraints', status.constraints?.join(', ')],
    ['secrets', status.secrets?.join(', ')],
    ['limits', pairs(status.limits)],
  ];
  const shown = rows.filter(([, text]) => text !== undefined && text !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
};

const pairs = (map: object | null | undefined): string =>
  Object.entries(map ?? {})
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ');
