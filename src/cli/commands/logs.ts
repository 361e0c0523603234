import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { z } from 'zod';
import { SkeinError } from '../../domain/errors.ts';
import { readLines } from '../../std/read-lines.ts';
import { createClient, query } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { durationValue, numberValue } from '../option-values.ts';

const details = `
Lines come from all nodes, in the order of their times; each begins with its time and with where it
was written, as NODE/REPLICA. With --follow the command goes on until it is interrupted. --json
prints each line as an object: name, namespace, instance, timestamp, text.

Examples:
  skein logs figlet
  skein logs figlet --follow --tail 20
  skein logs figlet --since 1h --instance node-2
  skein logs figlet --json | jq -r .text`;

export const define = (command: Command): void => {
  command
    .description('Shows what a function wrote to its standard output and error.')
    .argument('<name>', 'the function')
    .option('-f, --follow', 'go on with what comes')
    .option('--tail <lines>', 'only so many of the newest lines (default: all)', numberValue)
    .option('--since <duration>', 'only lines of the last 30s, 5m or 2h (default: 5m)', durationValue)
    .option('--instance <where>', 'only NODE/REPLICA, NODE or REPLICA')
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(logs);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json');
};

type LogsFlags = {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: number;
  readonly instance?: string;
  readonly namespace?: string;
};

const line = z.object({ instance: z.string(), timestamp: z.string(), text: z.string() });

const logs = async (name: string, flags: LogsFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const client = createClient(globals);
  const { follow = false, tail, since, instance, namespace } = flags;
  // The log of a name that nothing has is empty, as in OpenFaaS; to follow it would be to wait for ever.
  if (follow) await client.describe(name, namespace);
  const asked = query({
    name,
    namespace,
    instance,
    tail: tail?.toString(),
    since: since === undefined ? undefined : new Date(Date.now() - since).toISOString(),
    follow: follow ? 'true' : undefined,
  });
  const response = await client.request('GET', `/system/logs${asked}`, undefined, 0);
  if (response.body === null) return;
  const input = Readable.fromWeb(response.body);
  let lines = 0;
  readLines(input, (text) => {
    lines += 1;
    console.log(globals.json ? text : forPeople(text));
  });
  await new Promise<void>((resolve, reject) => {
    input.once('error', (cause) => reject(brokenOff(client.url, cause)));
    input.once('end', resolve);
  });
  if (lines > 0) return;
  await client.describe(name, namespace);
  if (!globals.json) console.error(`${name} wrote nothing in that time; a longer --since looks further back`);
};

const brokenOff = (url: string, cause: unknown): SkeinError =>
  new SkeinError('unavailable', `${url} broke the log off: the node may have stopped; ask another with --gateway`, {
    cause,
  });

const forPeople = (text: string): string => {
  const { timestamp, instance, text: said } = line.parse(JSON.parse(text));
  return `${timestamp} ${instance} ${said}`;
};
