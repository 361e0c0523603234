import fc from 'fast-check';
import { bodyReader } from './body.ts';
import type { BodyReader } from './body-reader.ts';
import { bad, Fault, more } from './fault.ts';
import { readRequestHead, type RequestHead } from './head.ts';
import { LineScanner } from './line-scanner.ts';

export const bounds = { maxBytes: 4_096, maxLines: 50 };

export type Message = {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
};

export type Found = {
  /** Those that are here whole. */
  readonly messages: readonly Message[];
  readonly heads: readonly RequestHead[];
  readonly fault: Fault | undefined;
};

/** All requests in what a client sent, cut into chunks, as a connection reads them. */
export const readAll = (chunks: readonly Buffer[]): Found => {
  const scanner = new LineScanner(bounds, true);
  const messages: Message[] = [];
  const heads: RequestHead[] = [];
  let head: RequestHead | undefined;
  let reader: BodyReader | undefined;
  let body: Buffer[] = [];

  const finish = ({ method, target, headers }: RequestHead): void => {
    messages.push({ method, target, headers, body: Buffer.concat(body).toString('latin1') });
    head = undefined;
    body = [];
  };
  for (const chunk of chunks) {
    let at = 0;
    while (at < chunk.length) {
      if (head === undefined) {
        // Nothing is read behind a request that ends its connection.
        if (heads.at(-1)?.keepAlive === false) return { messages, heads, fault: undefined };
        const end = scanner.feed(chunk, at);
        if (end === more) break;
        const read = end === bad ? (scanner.fault as Fault) : readRequestHead(scanner);
        if (read instanceof Fault) return { messages, heads, fault: read };
        scanner.reset();
        head = read;
        heads.push(read);
        reader = bodyReader(read.framing);
        at = end;
        if (reader === undefined) finish(read);
      } else {
        at = (reader as BodyReader).feed(chunk, at, (content) => body.push(content));
        if (at === bad) return { messages, heads, fault: (reader as BodyReader).fault };
        if (reader?.done === true) finish(head);
      }
    }
  }
  return { messages, heads, fault: undefined };
};

/** The same bytes, cut at the given places. */
export const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((one, other) => one - other), bytes.length];
  return at.slice(1).map((to, index) => bytes.subarray(at[index], to));
};

const token = fc.stringMatching(/^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,12}$/);
const value = fc.stringMatching(/^([!-~\xa0-\xff]([\t -~\xa0-\xff]{0,20}[!-~\xa0-\xff])?)?$/);
const target = fc.stringMatching(/^\/[!"$-~]{0,30}$/);
const special = /^(host|content-length|transfer-encoding|connection|expect|upgrade|keep-alive)$/i;

export type Sent = { readonly bytes: Buffer; readonly message: Message };

/** A request that is right, as bytes and as what they mean. */
export const request: fc.Arbitrary<Sent> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
    target,
    others: fc.array(fc.tuple(token, value), { maxLength: 6 }),
    name: fc.constantFrom('Content-Length', 'content-length', 'CONTENT-LENGTH'),
    coding: fc.constantFrom('Transfer-Encoding', 'transfer-encoding', 'TRANSFER-encoding'),
    chunks: fc.option(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 4 })),
    extension: fc.constantFrom('', ';a', ';a=b', ';a="b c";d'),
    trailers: fc.constantFrom('', 'X-Late: yes\r\n'),
    body: fc.uint8Array({ maxLength: 60 }),
  })
  .map(({ method, target, others, name, coding, chunks, extension, trailers, body }) => {
    const fields: [string, string][] = [['Host', 'a:80'], ...others.filter(([name]) => !special.test(name))];
    const content = chunks === null ? Buffer.from(body) : Buffer.concat(chunks);
    if (chunks !== null) fields.push([coding, 'chunked']);
    else if (body.length > 0) fields.push([name, String(body.length)]);
    const head = `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}:  ${value}${special.test(name) ? ' ' : '\t'}\r\n`).join('')}\r\n`;
    const coded = (chunks ?? []).flatMap((chunk) => [`${chunk.length.toString(16)}${extension}\r\n`, chunk, '\r\n']);
    const parts = chunks === null ? [content] : [...coded, `0\r\n${trailers}\r\n`];
    return {
      bytes: Buffer.concat(
        [head, ...parts].map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
      ),
      message: { method, target, headers: fields.flat(), body: content.toString('latin1') },
    };
  });

const nasty = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\x0b',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  '1',
  '-',
  '+',
  'x',
  '\r\n ',
  'HTTP/1.1',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  '\r\n\r\n',
];

/** Bytes that are nearly requests. */
export const nearly: fc.Arbitrary<Buffer> = fc
  .record({
    sent: fc.array(request, { minLength: 1, maxLength: 3 }),
    changes: fc.array(fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.constantFrom('', ...nasty) }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ sent, changes }) => {
    let text = Buffer.concat(sent.map(({ bytes }) => bytes)).toString('latin1');
    for (const { at, remove, insert } of changes) {
      const place = at % (text.length + 1);
      text = text.slice(0, place) + insert + text.slice(place + remove);
    }
    return Buffer.from(text, 'latin1');
  });
