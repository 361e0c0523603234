import { decimal, isHost, isNamed, tokenEnd } from './characters.ts';
import { Fault } from './fault.ts';
import type { LineScanner } from './line-scanner.ts';

/** The header fields of a message: as they came, and what framing and the connection need of them. */
export class Fields {
  /** Name and value in turn, spelt as they came. */
  readonly raw: string[] = [];
  host: string | undefined;
  /** `Content-Length`. */
  length: number | undefined;
  chunked = false;
  close = false;
  keepAlive = false;
  /** How long the other side says it keeps an idle connection, seconds. */
  keepAliveSeconds: number | undefined;
  /** What `Upgrade` asks for; it counts where `Connection` names it. */
  upgrade: string | undefined;
  connectionUpgrade = false;
  expect: string | undefined;
}

const fault = (sentence: string): Fault => new Fault(400, sentence);

const space = 0x20;
const tab = 0x09;
const colon = 0x3a;
const isBlank = (code: number): boolean => code === space || code === tab;

/** Reads the lines from `line` on; whatever two readers might read in two ways is a fault. */
export const readFields = (section: LineScanner, line: number): Fields | Fault => {
  const { text, ends, count } = section;
  const fields = new Fields();
  let from = line === 0 ? section.first : (ends[line - 1] as number) + 2;
  for (let index = line; index < count; index += 1) {
    const end = ends[index] as number;
    const nameEnd = tokenEnd(text, from, end);
    if (nameEnd === from || text.charCodeAt(nameEnd) !== colon)
      return fault('A header is a name, a colon and a value.');
    let begin = nameEnd + 1;
    while (begin < end && isBlank(text.charCodeAt(begin))) begin += 1;
    let stop = end;
    while (stop > begin && isBlank(text.charCodeAt(stop - 1))) stop -= 1;
    const name = text.slice(from, nameEnd);
    const value = text.slice(begin, stop);
    fields.raw.push(name, value);
    const wrong = note(fields, name, value);
    if (wrong !== undefined) return wrong;
    if (frames(name) && text.slice(nameEnd, end).includes('\t'))
      return fault('Blanks around a length or a coding are spaces.');
    from = end + 2;
  }
  if (fields.chunked && fields.length !== undefined) return fault('A body has a length or is chunked, not both.');
  return fields;
};

/** Readers differ in whether they trim a tab: where a body ends must not hang on that. */
const frames = (name: string): boolean =>
  (name.length === 14 && isNamed(name, 'content-length')) || (name.length === 17 && isNamed(name, 'transfer-encoding'));

/** Lengths of names tell most of them apart. */
const note = (fields: Fields, name: string, value: string): Fault | undefined => {
  switch (name.length) {
    case 4:
      return isNamed(name, 'host') ? noteHost(fields, value) : undefined;
    case 6:
      if (isNamed(name, 'expect')) fields.expect = fields.expect === undefined ? value : `${fields.expect}, ${value}`;
      return undefined;
    case 7:
      if (isNamed(name, 'upgrade'))
        fields.upgrade = fields.upgrade === undefined ? value : `${fields.upgrade}, ${value}`;
      return undefined;
    case 10:
      if (isNamed(name, 'connection')) noteConnection(fields, value);
      else if (isNamed(name, 'keep-alive')) noteKeepAlive(fields, value);
      return undefined;
    case 14:
      return isNamed(name, 'content-length') ? noteLength(fields, value) : undefined;
    case 17:
      return isNamed(name, 'transfer-encoding') ? noteCoding(fields, value) : undefined;
    default:
      return undefined;
  }
};

const noteHost = (fields: Fields, value: string): Fault | undefined => {
  if (fields.host !== undefined) return fault('A request names one host.');
  if (!isHost(value)) return fault('The host is no name or address.');
  fields.host = value;
  return undefined;
};

const noteLength = (fields: Fields, value: string): Fault | undefined => {
  if (fields.length !== undefined) return fault('A body has one length.');
  const length = decimal(value);
  if (Number.isNaN(length)) return fault('A length is a decimal number.');
  fields.length = length;
  return undefined;
};

const noteCoding = (fields: Fields, value: string): Fault | undefined => {
  if (fields.chunked || !isNamed(value, 'chunked')) return fault('The one transfer coding that is known is chunked.');
  fields.chunked = true;
  return undefined;
};

const noteConnection = (fields: Fields, value: string): void => {
  if (isNamed(value, 'keep-alive')) fields.keepAlive = true;
  else if (isNamed(value, 'close')) fields.close = true;
  else {
    for (const part of value.split(',')) {
      const option = part.trim();
      if (isNamed(option, 'close')) fields.close = true;
      else if (isNamed(option, 'keep-alive')) fields.keepAlive = true;
      else if (isNamed(option, 'upgrade')) fields.connectionUpgrade = true;
    }
  }
};

const noteKeepAlive = (fields: Fields, value: string): void => {
  const timeout = /\btimeout=(\d{1,9})\b/i.exec(value)?.[1];
  if (timeout !== undefined) fields.keepAliveSeconds = Number(timeout);
};
