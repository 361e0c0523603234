import { encodedTarget, isHost, isNamed, rawTargetEnd, tokenEnd } from './characters.ts';
import { Fault } from './fault.ts';
import { readFields } from './fields.ts';
import type { LineScanner } from './line-scanner.ts';

/** How the end of a body is found. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** Of answers only: the body ends with the connection. */
  | { readonly kind: 'until-close' };

export type RequestHead = {
  readonly method: string;
  /** A path that begins with a slash, or `*`. Bytes beyond ASCII are `%XX`. */
  readonly target: string;
  /** Of HTTP/1: 0 or 1. */
  readonly minor: 0 | 1;
  /** Name and value in turn, spelt as they came; `Host` is what the target says where that is a whole address. */
  readonly headers: string[];
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** The protocol that the client would rather speak; undefined when it asks for none. */
  readonly upgrade: string | undefined;
  readonly expectsContinue: boolean;
};

export type AnswerHead = {
  readonly status: number;
  readonly minor: 0 | 1;
  readonly headers: string[];
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** How long the other side keeps the connection while it is idle, seconds, where it says so. */
  readonly keepAliveSeconds: number | undefined;
};

const none: Framing = { kind: 'none' };
const chunked: Framing = { kind: 'chunked' };
const untilClose: Framing = { kind: 'until-close' };

const space = 0x20;
const lineFault = (): Fault => new Fault(400, 'A request begins with a method, a target and HTTP/1.1.');

/** The head that `section` found, or why it is none (RFC 9112, strictly). */
export const readRequestHead = (section: LineScanner): RequestHead | Fault => {
  const { text, ends, first } = section;
  const lineEnd = ends[0] as number;
  const methodEnd = tokenEnd(text, first, lineEnd);
  if (methodEnd === first || text.charCodeAt(methodEnd) !== space) return lineFault();
  const end = rawTargetEnd(text, methodEnd + 1, lineEnd);
  if (end === methodEnd + 1 || text.charCodeAt(end) !== space) return lineFault();
  const minor = minorOf(text, end + 1);
  if (minor === undefined || lineEnd !== end + 9) return lineFault();
  const method = text.slice(first, methodEnd);
  if (method === 'CONNECT') return new Fault(405, 'This is no proxy for connections.');
  const target = readTarget(method, text.slice(methodEnd + 1, end));
  if (target === undefined) return new Fault(400, 'A target is a path that begins with a slash.');
  // It is passed on as it is written now, and who may call one node may be served by another.
  if (text.length + target.path.length - (end - methodEnd - 1) > section.maxBytes) {
    return new Fault(414, 'The target is too long.');
  }

  const fields = readFields(section, 1);
  if (fields instanceof Fault) return fields;
  if (fields.host === undefined && minor === 1) return new Fault(400, 'A request names one host.');
  if (fields.chunked && minor === 0) return new Fault(400, 'HTTP/1.0 knows no transfer codings.');
  const expected = fields.expect?.toLowerCase() ?? '';
  const expectsContinue = expected !== '' && minor === 1;
  if (expectsContinue && expected !== '100-continue') {
    return new Fault(417, 'The one expectation that is known is 100-continue.');
  }
  return {
    method,
    target: target.path,
    minor,
    headers: target.host === undefined ? fields.raw : withHost(fields.raw, target.host),
    framing: fields.chunked ? chunked : lengthOf(fields.length ?? 0),
    keepAlive: !fields.close && (minor === 1 || fields.keepAlive),
    upgrade: fields.connectionUpgrade && minor === 1 ? fields.upgrade : undefined,
    expectsContinue,
  };
};

/** The head of an answer to `method`, or why it is none. */
export const readAnswerHead = (section: LineScanner, method: string): AnswerHead | Fault => {
  const { text, ends, count } = section;
  const lineEnd = ends[0] as number;
  const minor = minorOf(text, 0);
  const status = count === 0 || minor === undefined ? undefined : statusOf(text, lineEnd);
  if (minor === undefined || status === undefined)
    return new Fault(502, 'An answer begins with HTTP/1.1 and a status.');
  const fields = readFields(section, 1);
  if (fields instanceof Fault) return fields;
  if (fields.chunked && minor === 0) return new Fault(502, 'HTTP/1.0 knows no transfer codings.');
  let framing: Framing = untilClose;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) framing = none;
  else if (fields.chunked) framing = chunked;
  else if (fields.length !== undefined) framing = lengthOf(fields.length);
  return {
    status,
    minor,
    headers: fields.raw,
    framing,
    keepAlive: !fields.close && (minor === 1 || fields.keepAlive) && framing !== untilClose,
    keepAliveSeconds: fields.keepAliveSeconds,
  };
};

const lengthOf = (length: number): Framing => (length === 0 ? none : { kind: 'length', length });

const minorOf = (text: string, at: number): 0 | 1 | undefined => {
  if (text.startsWith('HTTP/1.1', at)) return 1;
  return text.startsWith('HTTP/1.0', at) ? 0 : undefined;
};

/** Whatever words follow the status mean nothing. */
const statusOf = (text: string, lineEnd: number): number | undefined => {
  if (text.charCodeAt(8) !== space || (lineEnd !== 12 && text.charCodeAt(12) !== space)) return undefined;
  let status = 0;
  for (let at = 9; at < 12; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    status = 10 * status + digit;
  }
  return status >= 100 ? status : undefined;
};

type Target = {
  readonly path: string;
  /** Where a whole address stands there, as before a proxy. */
  readonly host: string | undefined;
};

/** One of the forms in which servers are asked (RFC 9112, 3.2). */
const readTarget = (method: string, text: string): Target | undefined => {
  if (text.charCodeAt(0) === 0x2f) return { path: encodedTarget(text), host: undefined };
  if (text === '*') return method === 'OPTIONS' ? { path: text, host: undefined } : undefined;
  const [whole, host] = /^https?:\/\/([^/?]+)/i.exec(text) ?? [];
  if (whole === undefined || host === undefined || !isHost(host)) return undefined;
  const rest = encodedTarget(text.slice(whole.length));
  // The address of a whole server is how it is asked of all of it (RFC 9112, 3.2.4).
  if (rest === '') return { path: method === 'OPTIONS' ? '*' : '/', host };
  return { path: rest.startsWith('/') ? rest : `/${rest}`, host };
};

/** The target's host stands before what `Host` says (RFC 9112, 3.2.2). */
const withHost = (raw: readonly string[], host: string): string[] => {
  const headers: string[] = ['Host', host];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    if (!isNamed(name, 'host')) headers.push(name, raw[index + 1] as string);
  }
  return headers;
};
