/** Headers as pairs in one flat list: the form in which they are read and written, so that nothing is copied twice. */
export type RawHeaders = string[];

/** Of one connection only (RFC 9110, 7.6.1), and those that the next hop writes itself. */
const ofOneHop = new Set([
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
]);

const own = 'x-skein-';

/** Sent by the gateway itself, whatever the client says. */
const replaced = new Set([
  'content-length',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-call-id',
  'x-start-time',
]);

/** What of a client's request travels on. `X-Skein-*` is ours alone and is dropped silently. */
export const forwardable = (raw: readonly string[]): RawHeaders => {
  const kept: RawHeaders = [];
  const named = connectionOptions(raw);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const lower = name.toLowerCase();
    if (ofOneHop.has(lower) || replaced.has(lower) || lower.startsWith(own) || named?.includes(lower)) continue;
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
    const lower = name.toLowerCase();
    if (ofOneHop.has(lower) || named?.includes(lower) || lower === 'x-call-id' || lower === 'x-start-time') continue;
    if (lower.startsWith(own) && !(keepOwn && lower !== 'x-skein-load')) continue;
    kept.push(name, raw[index + 1] as string);
  }
  return kept;
};

export const valueOf = (raw: readonly string[], wanted: string): string | undefined => {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (name.length === wanted.length && name.toLowerCase() === wanted) return raw[index + 1];
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
    if (name.length !== connection.length || name.toLowerCase() !== connection) continue;
    const value = raw[index + 1] as string;
    if (value === 'keep-alive' || value === 'close') continue;
    named = [...(named ?? []), ...value.split(',').map((option) => option.trim().toLowerCase())];
  }
  return named;
};

const connection = 'connection';
