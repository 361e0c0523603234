import { parseSeconds } from '../../../std/duration.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the variables of OpenFaaS' watchdogs say, by the names that docs/watchdog.md explains. */
export type WatchdogSettings = {
  /** `classic` and `serializing` keep the whole answer before they send it; `streaming` sends it as it comes. */
  readonly mode: 'classic' | 'serializing' | 'streaming';
  /** As deployed; split on single spaces it is the program and its arguments. */
  readonly process: string;
  /** For a request to arrive; 0 = no bound. */
  readonly readTimeoutMs: number;
  /** From a request's head to the end of its answer; 0 = no bound. */
  readonly writeTimeoutMs: number;
  /** How long it still accepts after SIGTERM. */
  readonly healthcheckIntervalMs: number;
  /** For one process; 0 = no bound. */
  readonly execTimeoutMs: number;
  readonly writeDebug: boolean;
  readonly cgiHeaders: boolean;
  readonly marshalRequest: boolean;
  readonly debugHeaders: boolean;
  readonly suppressLock: boolean;
  /** Of every answer; undefined = the request's own. */
  readonly contentType: string | undefined;
  readonly combineOutput: boolean;
  /** Requests at once; 0 = no bound. */
  readonly maxInFlight: number;
  readonly prefixLogs: boolean;
  /** The longest line that is logged whole, bytes. */
  readonly logBufferBytes: number;
  /** What `/_/ready` asks the function; undefined = nothing. */
  readonly readyPath: string | undefined;
  /** The longest request body, bytes. */
  readonly maxBodyBytes: number;
  /** The longest answer that is kept before it is sent, bytes. */
  readonly maxOutputBytes: number;
  /** What could not be understood and was taken as if it were not there. */
  readonly remarks: readonly string[];
};

/** Twelve days: a timer of Node that is to wait for more than twice as long does not wait at all. */
export const longestMs = 2 ** 30;

const mebibyte = 1024 * 1024;
const longestLineBytes = mebibyte;

/** Like OpenFaaS' watchdogs, never refuses: a value that makes no sense counts as not given, with a remark. */
export const readSettings = (env: Environment): WatchdogSettings => {
  const remarks: string[] = [];
  const given = <Value>(
    name: string,
    parse: (text: string) => Value | undefined,
    fallback: Value,
    must: string,
  ): Value => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = parse(text);
    if (value === undefined) remarks.push(`${name} is "${text.slice(0, 64)}", which is no ${must}: it is ignored`);
    return value ?? fallback;
  };
  const time = (name: string, fallbackMs: number): number =>
    Math.min(longestMs, given(name, parseSeconds, fallbackMs, 'number of seconds and no duration such as 500ms'));
  const flag = (name: string, fallback: boolean): boolean => given(name, (text) => text === 'true', fallback, 'flag');
  const count = (name: string, fallback: number): number => given(name, parseCount, fallback, 'whole number');
  const mode = given('mode', parseMode, 'classic', 'mode (classic, serializing, streaming)');
  const lineBytes = given('log_buffer_size', parseLineBytes, 65_536, 'number of bytes');
  return {
    mode,
    process: env['fprocess'] || env['function_process'] || '',
    readTimeoutMs: time('read_timeout', 30_000),
    writeTimeoutMs: time('write_timeout', 30_000),
    healthcheckIntervalMs: time('healthcheck_interval', 0),
    execTimeoutMs: time('exec_timeout', mode === 'classic' ? 0 : 30_000),
    writeDebug: flag('write_debug', false),
    cgiHeaders: flag('cgi_headers', true),
    marshalRequest: flag('marshal_request', false),
    debugHeaders: flag('debug_headers', false),
    suppressLock: flag('suppress_lock', false),
    contentType: env['content_type'] || (mode === 'classic' ? undefined : 'application/octet-stream'),
    combineOutput: flag('combine_output', true) && mode === 'classic',
    maxInFlight: count('max_inflight', 0),
    prefixLogs: flag('prefix_logs', true),
    logBufferBytes: lineBytes,
    readyPath: mode === 'classic' ? undefined : env['ready_path'] || undefined,
    maxBodyBytes: count('max_body_bytes', 1024 * mebibyte),
    maxOutputBytes: count('max_output_bytes', 64 * mebibyte),
    remarks,
  };
};

/** The program and its arguments: split on single spaces, without quoting. */
export const splitProcess = (process: string): readonly [string, ...string[]] => {
  const [program = '', ...args] = process.split(' ');
  return [program, ...args];
};

const parseCount = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

const parseLineBytes = (text: string): number | undefined => {
  if (text === '-1') return longestLineBytes;
  const bytes = parseCount(text);
  return bytes === undefined ? undefined : Math.min(longestLineBytes, Math.max(1, bytes));
};

const parseMode = (text: string): WatchdogSettings['mode'] | undefined =>
  text === 'classic' || text === 'serializing' || text === 'streaming' ? text : undefined;
