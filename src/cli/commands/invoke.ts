import { isUtf8 } from 'node:buffer';
import { fstatSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Option, type Command } from 'commander';
import { SkeinError } from '../../domain/errors.ts';
import { createClient } from '../client.ts';
import { functionPath } from '../function-path.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import { bodyValue, collect, collectHeader, methodValue, type Header } from '../option-values.ts';

const details = `
The body is --body, or else what is piped in. The answer's body goes to the standard output as it
comes; with --json one object is printed: status, headers, node, milliseconds and body (in base64
where it is no text). The exit code is 1 when the function does not answer with a status below 400.
No password is needed: functions are open to everyone who reaches the gateway.

Examples:
  skein invoke figlet --body Hello
  skein invoke figlet -d @banner.txt --json
  skein invoke shasum < photo.jpg
  skein invoke burn --method GET --query sleep=50 --header 'Accept: text/plain'`;

export const define = (command: Command): void => {
  command
    .description('Calls a function and prints its answer.')
    .argument('<name>', 'the function')
    .option('-d, --body <text>', 'body to send; @FILE reads it from a file', bodyValue)
    // As it was called first. Before the command's name `--data` is the folder of a node, here it is not.
    .addOption(new Option('--data <text>').argParser(bodyValue).hideHelp().conflicts('body'))
    .option('--method <method>', 'HTTP method', methodValue, 'POST')
    .option('--header <name: value>', 'header to send; may be repeated', collectHeader)
    .option('--query <key=value>', 'part of the query; may be repeated', collect)
    .option('--namespace <name>', "its namespace (default: the gateway's own)")
    .addHelpText('after', details)
    .action(invoke);
  addGlobals(command, 'gateway', 'json');
};

type InvokeFlags = {
  readonly body?: Buffer;
  readonly data?: Buffer;
  readonly method: string;
  readonly header?: readonly Header[];
  readonly query?: readonly string[];
  readonly namespace?: string;
};

const invoke = async (name: string, flags: InvokeFlags, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const client = createClient(globals);
  const started = performance.now();
  const query = flags.query === undefined ? '' : `?${flags.query.map(encodePart).join('&')}`;
  const response = await client.invoke(`${functionPath(name, flags.namespace)}${query}`, {
    method: flags.method,
    headers: (flags.header ?? []).map(([name, value]): [string, string] => [name, value]),
    ...bodyOf(flags),
  });
  if (globals.json) console.log(JSON.stringify(await report(response, started)));
  else if (response.body !== null) await pipeline(Readable.fromWeb(response.body), process.stdout, { end: false });
  if (response.status >= 400) throw new SkeinError('unavailable', `${name} answered ${statusOf(response)}`);
};

const report = async (response: Response, started: number): Promise<object> => {
  const bytes = Buffer.from(await response.arrayBuffer());
  const ms = Math.round(performance.now() - started);
  const { status, headers } = response;
  const body = isUtf8(bytes) ? { body: bytes.toString() } : { body: bytes.toString('base64'), encoding: 'base64' };
  return { status, node: headers.get('x-skein-node'), ms, headers: Object.fromEntries(headers), ...body };
};

const bodyOf = ({ method, body, data }: InvokeFlags): RequestInit => {
  const given = body ?? data;
  if (given !== undefined) return { body: new Uint8Array(given) };
  if (method === 'GET' || method === 'HEAD' || !isPiped()) return {};
  return { body: process.stdin, duplex: 'half' } as unknown as RequestInit;
};

/** Something was piped or redirected into us; a terminal and /dev/null are neither. */
const isPiped = (): boolean => {
  try {
    const stat = fstatSync(0);
    return stat.isFIFO() || stat.isFile() || stat.isSocket();
  } catch {
    return false;
  }
};

const statusOf = ({ status, headers }: Response): string => {
  const reason = headers.get('x-skein-reason');
  const node = headers.get('x-skein-node');
  const said = [reason ?? '', node === null ? '' : `at ${node}`].filter((part) => part !== '').join(', ');
  return said === '' ? String(status) : `${status} (${said})`;
};

const encodePart = (part: string): string => {
  const at = part.indexOf('=');
  if (at < 0) return encodeURIComponent(part);
  return `${encodeURIComponent(part.slice(0, at))}=${encodeURIComponent(part.slice(at + 1))}`;
};
