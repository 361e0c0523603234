import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Option } from 'commander';
import { parseDuration } from '../std/duration.ts';

const suggestions = new WeakMap<Option, readonly string[]>();

/** What a shell is to offer as the value of an option. */
export const suggest = (option: Option | undefined, words: readonly string[]): void => {
  if (option !== undefined) suggestions.set(option, words);
};

export const suggestionsOf = (option: Option): readonly string[] | undefined => suggestions.get(option);

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `K=V`, collected into a map. */
export const collectPair = (
  value: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be written KEY=VALUE.');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
};

export type Header = readonly [name: string, value: string];

/** Headers that say how the message itself travels; they are set from what is sent. */
const framing = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** `Name: value`, collected. */
export const collectHeader = (value: string, before: readonly Header[] = []): readonly Header[] => {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(value);
  if (match === null) throw new InvalidArgumentError("It must be written 'Name: value'.");
  const [, name = '', text = ''] = match;
  if (framing.has(name.toLowerCase())) throw new InvalidArgumentError(`${name} is set from what is sent.`);
  return [...before, [name, text.trim()]];
};

export const durationValue = (value: string): number => {
  const ms = parseDuration(value);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('It must be a duration such as 500ms, 20s or 1m.');
  return ms;
};

export const countValue = (value: string): number => {
  const count = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (count < 1) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return count;
};

/** 0 or more. */
export const numberValue = (value: string): number => {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(value);
};

export const ratioValue = (value: string): number => {
  const ratio = /^\d*\.?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(ratio >= 0 && ratio <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return ratio;
};

/** An HTTP method, in capitals. */
export const methodValue = (value: string): string => {
  if (!/^[A-Za-z]{1,32}$/.test(value)) throw new InvalidArgumentError('It must be an HTTP method such as GET.');
  return value.toUpperCase();
};

/** The text itself, or with `@FILE` what the file holds. */
export const bodyValue = (value: string): Buffer => {
  if (!value.startsWith('@')) return Buffer.from(value);
  try {
    return readFileSync(value.slice(1));
  } catch (error) {
    throw new InvalidArgumentError(`It cannot be read: ${(error as Error).message}.`);
  }
};

export const httpUrl = (value: string): string => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8080/function/echo.');
  }
  return value;
};
