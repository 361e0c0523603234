import { pino } from 'pino';
import type { Log, LogFields, LogLevel } from './log.ts';

/**
 * Logs of one process, one line an event. `json` is for machines; `human` is for a terminal or a journal. Values of
 * fields that carry credentials (`authorization`, `cookie`, `password`, … at the top or inside one or two objects) are
 * replaced by `[hidden]` in both.
 */
export type LoggerOptions = {
  readonly level: LogLevel;
  readonly format: 'json' | 'human';
  /** Fields that every line carries, such as the node's name. */
  readonly fields?: LogFields;
};

/** Where lines go. Every `write` is one line with its newline. */
export type LogSink = { write(line: string): void };

const secretNames = [
  'authorization',
  'Authorization',
  '["proxy-authorization"]',
  'cookie',
  '["set-cookie"]',
  'password',
  'secret',
  'token',
];
const secretPaths = secretNames.flatMap((name) => {
  const tail = name.startsWith('[') ? name : `.${name}`;
  return [name, `*${tail}`, `*.*${tail}`];
});

/** A logger; to stdout unless `sink` is given. */
export const createLogger = (options: LoggerOptions, sink?: LogSink): Log => {
  const lines = sink ?? pino.destination({ dest: 1, sync: true });
  const out: LogSink = options.format === 'json' ? lines : { write: (line) => lines.write(humanLine(line)) };
  return pino(
    {
      level: options.level,
      base: options.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: secretPaths, censor: '[hidden]' },
    },
    out,
  );
};

type Line = Readonly<Record<string, unknown>> & {
  readonly time: string;
  readonly level: string;
  readonly msg?: string;
};

/** `12:34:56.789 INFO  a sentence  key=value …`, with a stack, if any, on lines of its own. */
const humanLine = (json: string): string => {
  const { time, level, msg, ...fields } = JSON.parse(json) as Line;
  const head = `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${plain(msg ?? '')}`;
  const pairs = Object.entries(fields).map(([key, value]) => plain(`${key}=${humanValue(value)}`));
  return `${[head, ...pairs].join('  ')}${stackOf(fields['error'])}\n`;
};

const humanValue = (value: unknown): string => {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  if (isError(value)) return JSON.stringify(value.message);
  return JSON.stringify(value);
};

/** Control characters would let what others send forge lines or drive the terminal. */
const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

const stackOf = (error: unknown): string => {
  if (!isError(error)) return '';
  const frames = error.stack.split('\n').slice(1, 9).map(plain);
  return frames.map((frame) => `\n    ${frame.trim()}`).join('');
};

const isError = (value: unknown): value is { message: string; stack: string } =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { message?: unknown }).message === 'string' &&
  typeof (value as { stack?: unknown }).stack === 'string';
