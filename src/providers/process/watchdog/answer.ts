import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseDuration } from '../../../std/duration.ts';
import { LogLines } from '../worker/log-lines.ts';
import { receiveBody } from './body.ts';
import { cgiEnvironment, goHeaders } from './cgi.ts';
import { Fault } from './fault.ts';
import { fork, type Fork, type ForkNeeds } from './fork.ts';
import type { WatchdogSettings } from './settings.ts';
import { sniff } from './sniff.ts';

export type AnswerNeeds = ForkNeeds & {
  readonly settings: WatchdogSettings;
  readonly env: Readonly<Record<string, string>>;
  readonly scratch: string;
};

/** Why a process was ended before it was done. */
type Ending = 'caller-left' | 'exec-timeout' | 'write-timeout' | 'too-much';

/** One request on its way: what it needs, and the first reason to end it. */
type Exchange = AnswerNeeds & {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly ending: AbortController;
  readonly startedAt: number;
};

/** A process that ended may have left children that hold its output open: they get this long. */
const stragglersMs = 250;
const keptErrorBytes = 64 * 1024;

/** Forks a process for a request and sends what comes of it. Never rejects. */
export const answer = async (needs: AnswerNeeds, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { settings } = needs;
  const ending = new AbortController();
  const end = (why: Ending): void => ending.abort(why);
  response.once('close', () => end('caller-left'));
  const timer =
    settings.writeTimeoutMs > 0 ? setTimeout(() => end('write-timeout'), settings.writeTimeoutMs) : undefined;
  const exchange = { ...needs, request, response, ending, startedAt: performance.now() };
  try {
    if (settings.debugHeaders) for (const [name, values] of goHeaders(request)) logHeader('in', name, values);
    await (settings.mode === 'streaming' ? stream(exchange) : buffer(exchange));
    if (settings.debugHeaders) {
      for (const [name, value] of Object.entries(response.getHeaders())) logHeader('out', name, [String(value)]);
    }
  } catch (error) {
    refuse(exchange, error);
  } finally {
    clearTimeout(timer);
  }
};

/** The whole body in, the whole output kept, then the answer. */
const buffer = async (exchange: Exchange): Promise<void> => {
  const { settings, request, ending } = exchange;
  const stdin = await receiveBody(request, {
    scratch: exchange.scratch,
    maxBytes: settings.maxBodyBytes,
    timeoutMs: settings.readTimeoutMs,
    marshal: settings.marshalRequest,
    signal: ending.signal,
  });
  const run = await begin(exchange, stdin, settings.combineOutput);
  const errors = run.stderr && keep(run.stderr, keptErrorBytes, () => {});
  const output = keep(run.stdout, settings.maxOutputBytes, () => ending.abort('too-much' satisfies Ending));
  const failure = await run.failure;
  await Promise.all([drained(run.stdout), run.stderr && drained(run.stderr)]);
  run.over();
  const out = Buffer.concat(output);
  if (errors !== undefined && errors.length > 0) console.error(`stderr: ${Buffer.concat(errors).toString().trimEnd()}`);
  if (settings.writeDebug) console.log(out.toString());
  checkEnding(exchange);
  if (failure !== undefined) {
    if (settings.writeDebug) console.error(`Success=false, Error=${failure}`);
    send(exchange, 500, Buffer.concat([Buffer.from(`${failure}\n`), out]), 'text/plain; charset=utf-8');
    return;
  }
  const seconds = ((performance.now() - exchange.startedAt) / 1000).toFixed(6);
  const type = settings.contentType ?? request.headers['content-type'] ?? sniff(out);
  send(exchange, 200, out, type, { 'X-Duration-Seconds': seconds });
  console.error(`${settings.writeDebug ? '' : `Wrote ${out.length} Bytes - `}Duration: ${seconds}s`);
};

/** Body and output flow at the same time; a process that fails before it said anything is told with a 500. */
const stream = async (exchange: Exchange): Promise<void> => {
  const { settings, request, response } = exchange;
  const run = await begin(exchange, 'pipe', false);
  // Many programs end without reading all they are sent.
  run.stdin?.on('error', () => request.unpipe().resume());
  if (run.stdin) request.pipe(run.stdin);
  if (run.stderr) logErrors(run.stderr, settings);
  const head = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': settings.contentType });
  };
  run.stdout.on('data', (chunk: Buffer) => {
    head();
    if (response.write(chunk)) return;
    run.stdout.pause();
    response.once('drain', () => run.stdout.resume());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  run.stdout.once('close', resolve);
  const [failure] = await Promise.all([run.failure, promise]);
  run.over();
  checkEnding(exchange);
  if (failure !== undefined) {
    console.error(failure);
    throw new Fault(500, failure);
  }
  head();
  response.end();
  console.error(`Took ${((performance.now() - exchange.startedAt) / 1000).toFixed(6)} secs`);
};

/** Starts the process; from here on, whatever ends the exchange ends it. */
const begin = async (
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
  const ms = typeof asked === 'string' ? (parseDuration(asked) ?? 0) : 0;
  if (ms === 0) return execTimeoutMs;
  return execTimeoutMs === 0 ? ms : Math.min(execTimeoutMs, ms);
};

const checkEnding = ({ ending, settings }: Exchange): void => {
  switch (ending.signal.reason as Ending | undefined) {
    case 'exec-timeout':
      throw new Fault(settings.mode === 'classic' ? 408 : 504, 'Killed process.');
    case 'write-timeout':
      throw new Fault(504, `the function took longer than write_timeout, ${settings.writeTimeoutMs} ms`);
    case 'too-much':
      throw new Fault(500, `the output is longer than ${settings.maxOutputBytes} bytes (max_output_bytes)`);
    default:
  }
};

const refuse = ({ response, ending, settings }: Exchange, error: unknown): void => {
  if (ending.signal.reason === ('caller-left' satisfies Ending)) {
    if (!response.destroyed) response.destroy();
    return;
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const fault = error instanceof Fault ? error : new Fault(500, error instanceof Error ? error.message : String(error));
  const late = ending.signal.reason === ('write-timeout' satisfies Ending);
  // What is left of a body that nobody reads must not be taken for the next request.
  if (fault.status === 413 || fault.status === 400 || late) response.setHeader('Connection', 'close');
  if (fault.status === 504) response.setHeader('X-OpenFaaS-Internal', 'of-watchdog');
  const body = Buffer.from(`${fault.message}\n`);
  if (settings.writeDebug) console.error(fault.message);
  response.writeHead(late ? 504 : fault.status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
  });
  response.end(body);
};

const send = (
  { response }: Exchange,
  status: number,
  body: Buffer,
  type: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', body.length);
  response.writeHead(status).end(body);
};

/** Keeps what is read, up to a bound that `over` is told of. */
const keep = (source: Socket, maxBytes: number, over: () => void): readonly Buffer[] => {
  const chunks: Buffer[] = [];
  let left = maxBytes;
  source.on('data', (chunk: Buffer) => {
    if (chunk.length > left) over();
    if (left > 0) chunks.push(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
  });
  return chunks;
};

/** Resolves when all output of a process that ended was read. */
const drained = async (source: Socket): Promise<void> => {
  if (source.closed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  source.once('close', resolve);
  const timer = setTimeout(() => source.destroy(), stragglersMs);
  await promise;
  clearTimeout(timer);
};

const logErrors = (source: Socket, { prefixLogs, logBufferBytes }: WatchdogSettings): void => {
  const prefix = prefixLogs ? 'stderr: ' : '';
  const lines = new LogLines(process.stderr.fd, { prefix, maxLineLength: logBufferBytes });
  source.setEncoding('utf8').on('data', (text: string) => lines.write(text));
  source.once('close', () => lines.flush());
};

const logHeader = (direction: string, name: string, values: readonly string[]): void =>
  console.log(`[${direction}] ${name}=[${values.join(' ')}]`);
