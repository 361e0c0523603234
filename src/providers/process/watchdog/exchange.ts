import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseDuration } from '../../../std/duration.ts';
import { cgiEnvironment } from './cgi.ts';
import { Fault } from './fault.ts';
import { fork, type Fork, type ForkNeeds } from './fork.ts';
import { longestMs, type WatchdogSettings } from './settings.ts';

export type AnswerNeeds = ForkNeeds & {
  readonly settings: WatchdogSettings;
  readonly env: Readonly<Record<string, string>>;
  readonly scratch: string;
};

/** Why a process was ended before it was done. */
export type Ending = 'caller-left' | 'exec-timeout' | 'write-timeout' | 'too-much';

/** One request on its way: what it needs, and the first reason to end it. */
export type Exchange = AnswerNeeds & {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly ending: AbortController;
  readonly startedAt: number;
};

/** Starts the process; from here on, whatever ends the exchange ends it. */
export const begin = async (
  exchange: Exchange,
  stdin: number | 'pipe',
  combine: boolean,
): Promise<Fork & { over(): void }> => {
  const { settings, request, ending } = exchange;
  console.error('Forking fprocess.');
  const cgi = settings.cgiHeaders ? cgiEnvironment(request, settings.mode === 'classic') : {};
  if (settings.writeDebug) console.error(`Query ${cgi['Http_Query'] ?? ''}\nPath ${cgi['Http_Path'] ?? ''}`);
  const run = await fork(exchange, { env: { ...exchange.env, ...cgi }, stdin, combine });
  const ms = execTimeoutOf(settings, request);
  const timer =
    ms > 0
      ? setTimeout(() => {
          console.error(`Killing process: ${settings.process}`);
          ending.abort('exec-timeout' satisfies Ending);
        }, ms)
      : undefined;
  const kill = (): void => {
    run.kill();
    run.stdout.destroy();
  };
  if (ending.signal.aborted) kill();
  else ending.signal.addEventListener('abort', kill);
  return {
    ...run,
    over: () => {
      clearTimeout(timer);
      ending.signal.removeEventListener('abort', kill);
    },
  };
};

/** A caller's `X-Timeout` may shorten the time, never lengthen it. */
const execTimeoutOf = ({ execTimeoutMs }: WatchdogSettings, request: IncomingMessage): number => {
  const asked = request.headers['x-timeout'];
  const ms = typeof asked === 'string' ? Math.min(longestMs, parseDuration(asked) ?? 0) : 0;
  if (ms === 0) return execTimeoutMs;
  return execTimeoutMs === 0 ? ms : Math.min(execTimeoutMs, ms);
};

/** Throws what the caller is told when the process was ended before it was done. */
export const checkEnding = ({ ending, settings }: Exchange): void => {
  const why = ending.signal.reason as Ending | undefined;
  switch (why) {
    case undefined:
      return;
    case 'caller-left':
      throw new Fault(500, 'the caller left');
    case 'exec-timeout':
      throw new Fault(settings.mode === 'classic' ? 408 : 504, 'Killed process.');
    case 'write-timeout':
      throw new Fault(504, `the function took longer than write_timeout, ${settings.writeTimeoutMs} ms`);
    case 'too-much':
      throw new Fault(500, `the output is longer than ${settings.maxOutputBytes} bytes (max_output_bytes)`);
  }
};
