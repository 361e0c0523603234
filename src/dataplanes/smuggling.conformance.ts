import { describe, expect, it } from 'vitest';
import { exchange } from './calls.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

type Seen = {
  readonly line: string;
  /** Their names. */
  readonly headers: readonly string[];
  readonly body: string;
};

const get = 'GET /function/guarded/smuggled HTTP/1.1\r\nhost: x\r\n\r\n';
const post = (headers: string, body: string): string =>
  `POST /function/guarded HTTP/1.1\r\nhost: x\r\n${headers}\r\n${body}`;

/** None is refused for want of room, also where some never end. */
const slots = 100;

/** Requests that two readers might cut in different places, each with a second one inside. */
const vectors: readonly (readonly [name: string, bytes: string])[] = [
  ['a length and chunks', post('content-length: 6\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['chunks and a length', post('transfer-encoding: chunked\r\ncontent-length: 4\r\n', `5c\r\n${get}\r\n0\r\n\r\n`)],
  ['two lengths', post(`content-length: 0\r\ncontent-length: ${get.length}\r\n`, get)],
  ['two equal lengths', post(`content-length: ${get.length}\r\ncontent-length: ${get.length}\r\n`, get)],
  ['a list of lengths', post(`content-length: 0, ${get.length}\r\n`, get)],
  ['a signed length', post(`content-length: +${get.length}\r\n`, get)],
  ['a negative length', post('content-length: -1\r\n', get)],
  ['a hexadecimal length', post('content-length: 0x10\r\n', get)],
  ['a length with a blank', post('content-length: 1 0\r\n', get)],
  ['a length beyond 64 bits', post('content-length: 18446744073709551616\r\n', get)],
  ['an empty length', post('content-length:\r\n', get)],
  ['chunks that are not last', post('transfer-encoding: chunked, identity\r\n', `0\r\n\r\n${get}`)],
  ['an unknown coding', post('transfer-encoding: xchunked\r\n', `0\r\n\r\n${get}`)],
  ['a coding that is none', post('transfer-encoding: identity\r\ncontent-length: 0\r\n', get)],
  ['chunked twice', post('transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['chunked and something', post('transfer-encoding: chunked\r\ntransfer-encoding: x\r\n', `0\r\n\r\n${get}`)],
  ['a space before the colon', post('transfer-encoding : chunked\r\n', `0\r\n\r\n${get}`)],
  ['a tab before the colon', post('transfer-encoding\t: chunked\r\n', `0\r\n\r\n${get}`)],
  ['a length with a space before the colon', post('content-length : 0\r\n', get)],
  ['a folded header', post('x: y\r\n transfer-encoding: chunked\r\n', get)],
  ['a folded coding', post('transfer-encoding:\r\n chunked\r\n', `0\r\n\r\n${get}`)],
  ['a leading blank', post(' transfer-encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['a control character in a coding', post('transfer-encoding: \x0bchunked\r\n', `0\r\n\r\n${get}`)],
  ['a null in a name', post('transfer-\0encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['a null in a value', post('x: a\0b\r\ncontent-length: 0\r\n', get)],
  ['bare line feeds', `POST /function/guarded HTTP/1.1\nhost: x\ncontent-length: 0\n\n${get}`],
  ['a bare line feed in a header', post('x: y\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['a bare carriage return', post('x: y\rtransfer-encoding: chunked\r\n', `0\r\n\r\n${get}`)],
  ['a chunk size that is too large', post('transfer-encoding: chunked\r\n', `fffffffffffffffff\r\n${get}`)],
  ['a chunk size that wraps', post('transfer-encoding: chunked\r\n', `100000000000000000\r\n${get}`)],
  ['a chunk size with 0x', post('transfer-encoding: chunked\r\n', `0x0\r\n\r\n${get}`)],
  ['a negative chunk size', post('transfer-encoding: chunked\r\n', `-1\r\n${get}`)],
  ['a chunk size with a blank before', post('transfer-encoding: chunked\r\n', ` 0\r\n\r\n${get}`)],
  ['a chunk longer than it says', post('transfer-encoding: chunked\r\n', `1\r\nxx\r\n0\r\n\r\n${get}`)],
  ['a chunk that ends in a bare line feed', post('transfer-encoding: chunked\r\n', `1\nx\n0\n\n${get}`)],
  ['a chunk extension with a line feed', post('transfer-encoding: chunked\r\n', `1;a\nb\r\nx\r\n0\r\n\r\n${get}`)],
  ['an absolute target', `GET http://other/function/guarded HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['an absolute target with bytes beyond ASCII', `GET http://other/function/guarded/\xff HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['a target with bytes that some take for blanks', `GET /function/guarded/\x85/\xa0 HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['a target with wide line breaks', `GET /function/guarded/\xe5\x98\x8d\xe5\x98\x8a HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['a target with a blank', `GET /function/guarded /x HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['a target with another version', `GET /function/guarded HTTP/9.9\r\nhost: x\r\n\r\n`],
  ['a target with a control character', `GET /function/guarded/\x01 HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['an encoded line break', `GET /function/guarded/%0d%0aX-Skein-Hop:%200 HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['a target that climbs', `GET /function/guarded/../../system/functions HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['two hosts', `GET /function/guarded HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n`],
  ['no host', 'GET /function/guarded HTTP/1.1\r\n\r\n'],
  ['a host with a path', 'GET /function/guarded HTTP/1.1\r\nhost: x/y@z\r\n\r\n'],
  [
    'a connection that names the host',
    'GET /function/guarded HTTP/1.1\r\nhost: x\r\nconnection: host, content-length\r\n\r\n',
  ],
  ['a length that the connection names', post(`connection: content-length\r\ncontent-length: ${get.length}\r\n`, get)],
  [
    'chunks that the connection names',
    post('connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n`),
  ],
  [
    'an upgrade',
    `GET /function/guarded HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n\r\n`,
  ],
  ['a body on GET', `GET /function/guarded HTTP/1.1\r\nhost: x\r\ncontent-length: ${get.length}\r\n\r\n${get}`],
  ['chunks in HTTP/1.0', `POST /function/guarded HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a CONNECT', 'CONNECT /function/guarded HTTP/1.1\r\nhost: x\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['an expectation of something else', post('expect: 200-maybe\r\ncontent-length: 1\r\n', 'x')],
];

/** Whoever reads the bytes, here, at a peer or in the function, reads the same requests. */
export const smugglingConformance = (
  nodes: () => { readonly a: TestNode; readonly b: TestNode; readonly c: TestNode },
  isHeld: (vector: string) => boolean = () => true,
): void => {
  describe.each(['here', 'through a peer'] as const)('requests of two meanings, served %s', (where) => {
    const seen: Seen[] = [];

    /** A function that writes down each request it reads. */
    const guard = async (): Promise<void> => {
      const { a, b } = nodes();
      seen.length = 0;
      const at = where === 'here' ? a : b;
      const replica = await at.replica(`guard-${where.length}`, (request, response) => {
        const body: Buffer[] = [];
        request.on('data', (chunk: Buffer) => body.push(chunk));
        request.on('end', () => {
          seen.push({
            line: `${request.method} ${request.url}`,
            headers: request.rawHeaders.filter((_, index) => index % 2 === 0),
            body: Buffer.concat(body).toString('latin1'),
          });
          response.end('ran');
        });
      });
      if (where === 'here') await a.apply(slots, { guarded: functionPlan([replica]) });
      else {
        await b.apply(slots, { guarded: functionPlan([replica]) }, [a.asPeer(slots)]);
        await a.apply(slots, { guarded: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(slots)]);
      }
    };

    it('never make two of one', async () => {
      await guard();
      const { a } = nodes();
      const results = await Promise.all(
        vectors
          .filter(([name]) => isHeld(name))
          .map(async ([name, bytes]) => [name, await exchange(a.port, bytes, undefined, 700)] as const),
      );
      for (const [name, text] of results) {
        const statuses = text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
        const ran = statuses.filter((status) => status.endsWith(' 200')).length;
        expect(
          statuses.every((status) => / (200|4\d\d|503)$/.test(status)),
          `${name}: ${text}`,
        ).toBe(true);
        expect(ran, `${name}: ${text}`).toBeLessThanOrEqual(1);
      }
      for (const { line, headers } of seen) {
        expect(line).toMatch(/^(POST|GET) \/(\S*)$/);
        expect(
          headers.filter((name) => /^content-length$/i.test(name)).length,
          `${line}: ${headers.join(' ')}`,
        ).toBeLessThanOrEqual(1);
        const coded = headers.some((name) => /^transfer-encoding$/i.test(name));
        expect(coded && headers.some((name) => /^content-length$/i.test(name))).toBe(false);
        expect(headers.filter((name) => /^host$/i.test(name)).length).toBe(1);
      }
      expect(seen.filter(({ line }) => line.includes('smuggled'))).toEqual([]);
      const after = await exchange(a.port, 'GET /function/guarded HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      expect(after).toMatch(/^HTTP\/1\.1 200 /);
    });
  });
};
