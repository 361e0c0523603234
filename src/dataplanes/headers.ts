import { isNamed } from './http1/characters.ts';

/** Headers as pairs in one flat list: the form in which they are read and written, so that nothing is copied twice. */
export type RawHeaders = string[];

/** Names in lower case by their length, which tells most others apart without a look at their letters. */
type Names = readonly (readonly string[])[];

const names = (...all: readonly string[]): Names =>
  Array.from({ length: 24 }, (_, length) => all.filter((name) => name.length === length));

const isAmong = (known: Names, name: string): boolean => {
  const alike = known[name.length];
  if (alike === undefined) return false;
  for (const one of alike) if (isNamed(name, one)) return true;
  return false;
};

/** Of one connection only (RFC 9110, 7.6.1), and those that the next hop writes itself. */
const ofOneHop = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
] as const;

/** Sent by the gateway itself, whatever the other side says. */
const told = ['x-call-id', 'x-start-time'] as const;

const notForwarded = names(
  ...ofOneHop,
  ...told,
  'content-length',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
);

const notReturned = names(...ofOneHop, ...told);

const own = 'x-skein-';
const load = 'x-skein-load';

const isOwn = (name: string): boolean => name.length >= own.length && isNamed(name.slice(0, own.length), own);

/** What of a client's request travels on. `X-Skein-*` is ours alone and is dropped silently. */
export const forwardable = (raw: readonly string[]): RawHeaders => {
  const kept: RawHeaders = [];
  const named = connectionOptions(raw);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (isAmong(notForwarded, name) || isOwn(name) || named?.includes(name.toLowerCase())) continue;
    kept.push(name, raw[index + 1] as string);
  }
  return kept;
};

/** What of an answer travels back to the client. */
export const returnable = (raw: readonly string[], keepOwn: boolean): RawHeaders => {
  const kept: RawHeaders = [];
  const named = connectionOptions(raw);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (isAmong(notReturned, name) || named?.includes(name.toLowerCase())) continue;
    if (isOwn(name) && !(keepOwn && !isNamed(name, load))) continue;
    kept.push(name, raw[index + 1] as string);
  }
  return kept;
};

export const valueOf = (raw: readonly string[], wanted: string): string | undefined => {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (isNamed(name, wanted)) return raw[index + 1];
  }
  return undefined;
};

/** Of a header that may come more than once, in order. */
export const allValuesOf = (raw: readonly string[], wanted: string): readonly string[] =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === wanted);

/** The headers but those of one name, given in lower case. */
export const without = (raw: RawHeaders, unwanted: string): RawHeaders =>
  raw.filter((_, index) => raw[index - (index % 2)]?.toLowerCase() !== unwanted);

/** Headers that `Connection` names belong to that connection as well; it may come more than once. */
const connectionOptions = (raw: readonly string[]): readonly string[] | undefined => {
  let named: string[] | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (!isNamed(name, connection)) continue;
    const value = raw[index + 1] as string;
    if (value === 'keep-alive' || value === 'close') continue;
    named = [...(named ?? []), ...value.split(',').map((option) => option.trim().toLowerCase())];
  }
  return named;
};

const connection = 'connection';
