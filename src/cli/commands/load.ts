import { InvalidArgumentError, Option, type Command } from 'commander';
import { loadDefaults } from '../../loadtest/load-options.ts';
import { loadReport, progressLine } from '../../loadtest/report.ts';
import type { LoadResult } from '../../loadtest/load-result.ts';
import { runLoad } from '../../loadtest/run-load.ts';
import { addGlobals, globalsOf } from '../globals.ts';
import {
  bodyValue,
  collectHeader,
  countValue,
  durationValue,
  httpUrl,
  methodValue,
  ratioValue,
  type Header,
} from '../option-values.ts';

type LoadFlags = {
  readonly rate: number | 'max';
  readonly duration: number;
  readonly method?: string;
  readonly body?: Buffer;
  readonly data?: Buffer;
  readonly header?: readonly Header[];
  readonly connections?: number;
  readonly timeout?: number;
  readonly failBelow?: number;
};

const details = `
The load is an open loop: requests leave on schedule whatever the answers do, and latency counts
from the moment a request was due. So a server that stalls is charged with everything that should
have been served meanwhile. A request that is due while every connection is taken counts as unsent.
\`--rate max\` is a closed loop: each connection sends its next request when its last was answered.

A request succeeds with a status of 200 to 399. Latency is that of succeeded requests. Answers are
counted by the node that served (X-Skein-Node) and refusals by their reason (X-Skein-Reason).
The exit code is 1 when nothing was answered at all, or less than --fail-below succeeded.
Ctrl-C ends the test early and reports.

Examples:
  skein load http://127.0.0.1:8080/function/echo --rate 300 --duration 20s
  skein load 'http://127.0.0.1:8080/function/burn?sleep=50' --rate 700 --duration 1m --json
  skein load URL --rate 0.5 --duration 1h --fail-below 0.999 && echo good
  skein load http://127.0.0.1:8080/function/figlet --body Hello --rate max --duration 10s
  skein load URL --rate 50 --duration 10s --body @photo.jpg --header 'Content-Type: image/jpeg'`;

export const define = (command: Command): void => {
  command
    .description('Sends requests at a steady rate and measures how they are answered.')
    .argument('<url>', 'where to send them (http or https)', httpUrl)
    .requiredOption('--rate <r>', 'requests a second, may be fractional; or max', rateValue)
    .requiredOption('--duration <d>', 'how long to send: 500ms, 20s, 1m', durationValue)
    .option('--method <method>', 'HTTP method (default: GET, or POST with --body)', methodValue)
    .option('-d, --body <text>', 'body of each request; @FILE reads it from a file', bodyValue)
    .addOption(new Option('--data <text>').argParser(bodyValue).hideHelp().conflicts('body'))
    .option('--header <name: value>', 'header of each request; may be repeated', collectHeader)
    .option(
      '--connections <n>',
      `requests under way at once, at most (default: ${loadDefaults.connections}; ${loadDefaults.closedLoopConnections} with --rate max)`,
      countValue,
    )
    .option('--timeout <d>', `longest wait for one answer (default: ${loadDefaults.timeoutMs / 1000}s)`, durationValue)
    .option('--fail-below <ratio>', 'exit with 1 when a smaller part of the requests succeeds, 0 to 1', ratioValue)
    .addHelpText('after', details)
    .action(load);
  addGlobals(command, 'json', 'quiet');
};

const rateValue = (value: string): number | 'max' => {
  if (value === 'max') return value;
  const rate = /^\d*\.?\d+$/.test(value) ? Number(value) : 0;
  if (rate <= 0 || rate > 1_000_000) throw new InvalidArgumentError('It must be a number more than 0, or max.');
  return rate;
};

const load = async (target: string, flags: LoadFlags, command: Command): Promise<void> => {
  const { json, quiet } = globalsOf(command);
  const body = flags.body ?? flags.data;
  const stop = new AbortController();
  // Once: a second Ctrl-C does not wait for answers.
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const showProgress = !json && !quiet && process.stderr.isTTY;
  const result = await runLoad(
    {
      target,
      rate: flags.rate,
      durationMs: flags.duration,
      ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
      ...(flags.method === undefined ? {} : { method: flags.method }),
      ...(body === undefined ? {} : { body }),
      ...(flags.header === undefined ? {} : { headers: flags.header }),
      ...(flags.connections === undefined ? {} : { connections: flags.connections }),
    },
    {
      signal: stop.signal,
      ...(showProgress ? { onProgress: (progress) => console.error(progressLine(progress)) } : {}),
    },
  );
  console.log(json ? JSON.stringify(result) : loadReport(result));
  if (result.sent > 0 && Object.keys(result.statuses).length === 0) {
    console.error(`skein: none of ${result.sent} requests to ${target} was answered (${sayErrors(result)})`);
    process.exitCode = 1;
    return;
  }
  const { failBelow } = flags;
  if (failBelow === undefined || result.successRatio >= failBelow) return;
  console.error(`skein: only ${result.successRatio} of the requests succeeded, less than ${failBelow}`);
  process.exitCode = 1;
};

/** Most of one kind first. */
const sayErrors = ({ errors }: LoadResult): string =>
  Object.entries(errors)
    .toSorted(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${kind}: ${count}`)
    .join(', ');
