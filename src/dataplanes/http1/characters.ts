const table = (allowed: RegExp): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, code) => (allowed.test(String.fromCharCode(code)) ? 1 : 0));

/** What names of methods and headers are made of (RFC 9110, 5.6.2). */
const tokens = table(/[-!#$%&'*+.^_`|~0-9A-Za-z]/);

/** A target holds printable ASCII; a fragment is the client's own and never travels. */
const targets = table(/[!-"$-~]/);

/** Many clients send letters beyond ASCII as they are. */
const rawTargets = table(/[!-"$-~\x80-\xff]/);

/** A name or an address with its port, also in brackets (RFC 3986, 3.2.2). */
const hosts = table(/[-._~!$&'()*+,;=:%[\]0-9A-Za-z]/);

/** Where the first character stands that is not in `allowed`; `to` when there is none. */
const end = (allowed: Uint8Array, text: string, from: number, to: number): number => {
  let at = from;
  while (at < to && allowed[text.charCodeAt(at)] === 1) at += 1;
  return at;
};

export const tokenEnd = (text: string, from: number, to: number): number => end(tokens, text, from, to);
export const rawTargetEnd = (text: string, from: number, to: number): number => end(rawTargets, text, from, to);
export const isToken = (text: string): boolean => text !== '' && tokenEnd(text, 0, text.length) === text.length;
export const isTarget = (text: string): boolean => text !== '' && end(targets, text, 0, text.length) === text.length;
export const isHost = (text: string): boolean => end(hosts, text, 0, text.length) === text.length;

/** Compares a token with a name of lower-case letters and hyphens, without making a string. */
export const isNamed = (token: string, lower: string): boolean => {
  if (token.length !== lower.length) return false;
  for (let at = 0; at < lower.length; at += 1) {
    if ((token.charCodeAt(at) | 0x20) !== lower.charCodeAt(at)) return false;
  }
  return true;
};

/** No line breaks, no controls, nothing beyond Latin-1 that would become one on the wire. */
const unsendable = /[^\t\x20-\x7e\x80-\xff]/;
export const isValue = (text: string): boolean => !unsendable.test(text);

const unsendableLine = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)/;

/** Whether `text` is so many lines, each ended by CR LF, of nothing but values. */
export const isLines = (text: string, count: number): boolean => {
  let found = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) found += 1;
  return found === count && text.endsWith('\r\n') && !unsendableLine.test(text);
};

/** A number of up to 16 decimal digits, and nothing else; not a number where it is none that can be counted to. */
export const decimal = (text: string): number => {
  if (text.length === 0 || text.length > 16) return Number.NaN;
  let number = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = 10 * number + digit;
  }
  return Number.isSafeInteger(number) ? number : Number.NaN;
};

const beyondAscii = /[\x80-\xff]/g;

/** A target as it came, with each byte beyond ASCII written as `%XX` (RFC 3986, 2.1): it means the same. */
export const encodedTarget = (text: string): string =>
  isTarget(text) ? text : text.replace(beyondAscii, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
