import { STATUS_CODES } from 'node:http';
import { SkeinError } from '../../domain/errors.ts';
import { decimal, isLines, isNamed, isTarget, isToken, isValue } from './characters.ts';

/** A head as it goes out, but for its framing and what the connection adds. */
export type FieldText = {
  readonly text: string;
  /** `Content-Length` as given. It is in the text only where `keepsLength`. */
  readonly length: number | undefined;
  readonly close: boolean;
  readonly dated: boolean;
  readonly hosted: boolean;
};

const statusLines = new Map<number, string>();

/** `HTTP/1.1 200 OK` and its line end. */
export const statusLine = (status: number): string => {
  let line = statusLines.get(status);
  if (line === undefined) {
    if (!(Number.isInteger(status) && status >= 100 && status <= 999)) throw unsendable(`the status ${status}`);
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    statusLines.set(status, line);
  }
  return line;
};

export const requestLine = (method: string, target: string): string => {
  if (!isToken(method) || !isTarget(target)) throw unsendable(`the request line ${method} ${target}`);
  return `${method} ${target} HTTP/1.1\r\n`;
};

/**
 * Writes headers below `line`. Those that frame the message or speak of this connection are left out: whoever sends it
 * writes them itself. Throws `invalid` for what would not stay one header on the wire.
 */
export const writeFields = (line: string, headers: readonly string[]): FieldText => {
  let text = line;
  let length: number | undefined;
  let close = false;
  let dated = false;
  let hosted = false;
  let lines = 1;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    switch (name.length) {
      case 4:
        dated ||= isNamed(name, 'date');
        hosted ||= isNamed(name, 'host');
        break;
      case 10:
        if (isNamed(name, 'keep-alive')) continue;
        if (!isNamed(name, 'connection')) break;
        close ||= isNamed(value, 'close');
        continue;
      case 14:
        if (!isNamed(name, 'content-length')) break;
        length = lengthOf(value);
        continue;
      case 17:
        if (isNamed(name, 'transfer-encoding')) continue;
        break;
      default:
    }
    if (!isToken(name)) throw unsendable(`the header ${JSON.stringify(name)}`);
    text += `${name}: ${value}\r\n`;
    lines += 1;
  }
  // All values are looked at together: one look at each costs more than to look.
  if (!isLines(text, lines)) throw unsendable(`the header ${JSON.stringify(unsendableIn(headers))}`);
  return { text, length, close, dated, hosted };
};

const unsendableIn = (headers: readonly string[]): string | undefined =>
  headers.find((_, index) => index % 2 === 0 && !isValue(headers[index + 1] ?? ''));

const lengthOf = (value: string): number => {
  const length = decimal(value);
  if (Number.isNaN(length)) throw unsendable(`the length ${JSON.stringify(value)}`);
  return length;
};

const unsendable = (what: string): SkeinError => new SkeinError('invalid', `${what} cannot be sent over HTTP`);

/** Bodies up to this length are copied behind their head: one write costs less than two. */
const joinedBytes = 16 * 1024;

/** Head and body as one buffer where that is cheaper, else undefined. */
export const joined = (head: string, body: Buffer): Buffer | undefined => {
  if (body.length > joinedBytes) return undefined;
  const whole = Buffer.allocUnsafe(head.length + body.length);
  whole.write(head, 0, head.length, 'latin1');
  whole.set(body, head.length);
  return whole;
};
