import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from './fault.ts';
import { readAnswerHead, type AnswerHead } from './head.ts';
import { LineScanner } from './line-scanner.ts';
import { bounds, cut, nearly, readAll, request } from './messages.testing.ts';

const places = fc.array(fc.nat(), { maxLength: 12 });
const read = (text: string) => readAll([Buffer.from(text, 'latin1')]);
const get = 'GET /inside HTTP/1.1\r\nHost: x\r\n\r\n';
const post = (headers: string, body = ''): string => `POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

describe('a request', () => {
  it('means what was sent, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), places, (sent, places) => {
        const chunks = cut(Buffer.concat(sent.map(({ bytes }) => bytes)), places);
        expect(readAll(chunks)).toMatchObject({ messages: sent.map(({ message }) => message), fault: undefined });
      }),
    );
  });

  it('means the same cut byte by byte', () => {
    fc.assert(
      fc.property(request, ({ bytes, message }) => {
        expect(readAll([...bytes].map((byte) => Buffer.from([byte]))).messages).toEqual([message]);
      }),
      { numRuns: 30 },
    );
  });

  it('that is nearly one is read the same way however it is cut', () => {
    fc.assert(
      fc.property(nearly, places, (bytes, places) => {
        expect(readAll(cut(bytes, places))).toEqual(readAll([bytes]));
      }),
      { numRuns: 500 },
    );
  });

  it('of random bytes ends in a request, a fault or a wish for more, and never reads beyond', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), places, (bytes, places) => {
        const { messages } = readAll(cut(Buffer.from(bytes), places));
        expect(messages.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a bare line feed after the line', 'GET / HTTP/1.1\nHost: x\r\n\r\n'],
    ['two line feeds for a line end', 'GET / HTTP/1.1\n\nHost: x\n\n\n\n'],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: x\n\n'],
    ['a bare line feed in a value', 'GET / HTTP/1.1\r\nHost: x\r\na: b\nc: d\r\n\r\n'],
    ['a bare carriage return in a value', 'GET / HTTP/1.1\r\nHost: x\r\na: b\rc\r\n\r\n'],
    ['a bare carriage return before the end', 'GET / HTTP/1.1\r\nHost: x\r\n\r\r\n'],
    ['a carriage return too many', 'GET / HTTP/1.1\r\r\nHost: x\r\n\r\n'],
    ['a null in a value', 'GET / HTTP/1.1\r\nHost: x\r\na: b\0c\r\n\r\n'],
    ['a null in a name', 'GET / HTTP/1.1\r\nHost: x\r\na\0b: c\r\n\r\n'],
    ['a null in the target', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a control character in a value', 'GET / HTTP/1.1\r\nHost: x\r\na: \x0b\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: x\r\na: b\r\n c\r\n\r\n'],
    ['a blank before the first header', 'GET / HTTP/1.1\r\n Host: x\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['a tab before the colon', 'GET / HTTP/1.1\r\nHost\t: x\r\n\r\n'],
    ['no name', 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n'],
    ['no colon', 'GET / HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n'],
    ['a letter beyond ASCII in a name', 'GET / HTTP/1.1\r\nHost: x\r\na\xe9: y\r\n\r\n'],
    ['a letter beyond ASCII in the method', 'G\xe9T / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a letter beyond ASCII in the host of the target', 'GET http://h\xe9/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a letter beyond ASCII before the path', 'GET \xe9/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a line break beside letters beyond ASCII', 'GET /\xe9\r\n\xe9 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a control character beside letters beyond ASCII', 'GET /\xe9\x01 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a blank beside letters beyond ASCII', 'GET /\xe9 \xe9 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a tab for a space', 'GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a space behind', 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n'],
    ['a space before', ' GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['an odd method', 'G(T / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no method', '/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no target', 'GET HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    ['a target that is no path', 'GET a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a star for more than options', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a whole address without a host', 'GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a whole address with a user', 'GET http://u@h/a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: x\r\n\r\n'],
    ['HTTP/0.9', 'GET / HTTP/0.9\r\nHost: x\r\n\r\n'],
    ['HTTP/1.10', 'GET / HTTP/1.10\r\nHost: x\r\n\r\n'],
    ['a small http', 'GET / http/1.1\r\nHost: x\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01'],
    ['two empty lines before it', `\r\n\r\n${get}`],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n'],
    ['two hosts in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: x\r\nhOST: y\r\n\r\n'],
    ['a host with a path', 'GET / HTTP/1.1\r\nHost: x/y\r\n\r\n'],
    ['a host with a user', 'GET / HTTP/1.1\r\nHost: u@x\r\n\r\n'],
    ['a length and chunks', post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${get}`)],
    ['chunks and a length', post('transfer-encoding: chunked\r\ncontent-length: 4\r\n', `5c\r\n${get}0\r\n\r\n`)],
    ['two lengths', post('Content-Length: 0\r\nContent-Length: 5\r\n', 'hello')],
    ['two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')],
    ['a list of lengths', post('Content-Length: 5, 5\r\n', 'hello')],
    ['a signed length', post('Content-Length: +5\r\n', 'hello')],
    ['a negative length', post('Content-Length: -1\r\n')],
    ['a hexadecimal length', post('Content-Length: 0x5\r\n', 'hello')],
    ['a length with a blank', post('Content-Length: 1 0\r\n')],
    ['a length beyond what can be counted', post('Content-Length: 9007199254740993\r\n')],
    ['a length beyond 64 bits', post('Content-Length: 18446744073709551616\r\n')],
    ['an empty length', post('Content-Length:\r\n')],
    ['a length of other digits', post('Content-Length: \xb2\r\n')],
    ['chunks that are not last', post('Transfer-Encoding: chunked, identity\r\n')],
    ['a coding before chunks', post('Transfer-Encoding: gzip, chunked\r\n')],
    ['an unknown coding', post('Transfer-Encoding: xchunked\r\n')],
    ['no coding', post('Transfer-Encoding:\r\n')],
    ['identity', post('Transfer-Encoding: identity\r\n')],
    ['chunked twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')],
    ['a quoted coding', post('Transfer-Encoding: "chunked"\r\n')],
    ['a tab behind a coding', post('Transfer-Encoding: chunked\t\r\n', '0\r\n\r\n')],
    ['a tab before a length', post('Content-Length:\t5\r\n', 'hello')],
    ['a coding with a parameter', post('Transfer-Encoding: chunked;a=b\r\n')],
    ['a control character in a coding', post('Transfer-Encoding: \x0bchunked\r\n')],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('with %s is refused with 400, and nothing behind it is read', (_name, text) => {
    expect(read(text + get)).toMatchObject({ messages: [], fault: { status: 400 } });
  });

  it.each([
    ['a CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a CONNECT of a path', 'CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['another expectation', post('Expect: 200-maybe\r\n'), 417],
    ['an endless target', `GET /${'a'.repeat(5_000)}`, 414],
    [
      'a target that is too long once its bytes are encoded',
      `GET /${'\xe9'.repeat(1_500)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      414,
    ],
    ['an endless header', `${get.slice(0, -2)}a: ${'b'.repeat(5_000)}`, 431],
    ['endless headers', get.slice(0, -2) + 'a: b\r\n'.repeat(60), 431],
  ])('that is %s is refused with its own status', (name, text, status) => {
    expect(read(text)).toMatchObject({ messages: [], fault: { status: name === 'a CONNECT' ? 405 : status } });
  });

  it.each([
    ['an empty line before it', `\r\n${get}`],
    ['HTTP/1.0 without a host', 'GET / HTTP/1.0\r\n\r\n'],
    ['an empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['an address of the newer family', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n'],
    ['a whole address', 'GET HTTP://a:80/b?c HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['all of a server', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no value', 'GET / HTTP/1.1\r\nHost: x\r\na:\r\nb: \t \r\n\r\n'],
    ['no blank before a value', 'GET / HTTP/1.1\r\nHost:x\r\na:b\r\n\r\n'],
    ['a method of its own', 'PURGE / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a length of 0', post('Content-Length: 0\r\n')],
    ['chunked in capitals', post('TRANSFER-ENCODING: CHUNKED\r\n', '0\r\n\r\n')],
  ])('with %s is taken', (_name, text) => {
    expect(read(text)).toMatchObject({ messages: [{ body: '' }], fault: undefined });
  });

  it.each([
    ['/\xe9', '/%E9'],
    ['/%e9\xc3\xa9?\x80=\xff', '/%e9%C3%A9?%80=%FF'],
    ['http://a/\xe9', '/%E9'],
  ])('for %j asks for %j: bytes beyond ASCII are kept, encoded', (target, encoded) => {
    expect(read(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatchObject({ messages: [{ target: encoded }] });
  });

  it('keeps each byte of its target', () => {
    const targets = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.filter((byte) => byte > 0x7f));
    fc.assert(
      fc.property(targets, (bytes) => {
        const { messages } = read(`GET /${Buffer.from(bytes).toString('latin1')} HTTP/1.1\r\nHost: x\r\n\r\n`);
        const hex = messages[0]?.target.slice(1).replaceAll('%', '') ?? '';
        expect(Buffer.from(hex, 'hex').equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it.each([
    ['GET', 'http://other:81/a?b', '/a?b', 'other:81'],
    ['GET', 'HTTPS://other', '/', 'other'],
    ['GET', 'http://[::1]?b', '/?b', '[::1]'],
    ['OPTIONS', 'http://other', '*', 'other'],
    ['GET', '/a', '/a', 'x'],
  ])('%s %s asks for %s of %s, whatever Host says', (method, target, path, host) => {
    const { messages } = read(`${method} ${target} HTTP/1.1\r\nX: y\r\nhOST: x\r\n\r\n`);
    expect(messages).toMatchObject([{ target: path }]);
    const hosts = messages[0]?.headers.filter((_, index, all) => /^host$/i.test(all[index - 1] ?? ''));
    expect(hosts).toEqual([host]);
  });

  it.each(['', 'Expect:\r\n', 'Expect: \t\r\n'])('with %j waits for no leave', (headers) => {
    const { heads, fault } = read(post(headers + 'Content-Length: 1\r\n', 'x'));
    expect([heads[0]?.expectsContinue, fault]).toEqual([false, undefined]);
  });

  it.each([
    ['', 'HTTP/1.1', true],
    ['Connection: close\r\n', 'HTTP/1.1', false],
    ['Connection: x, Close\r\n', 'HTTP/1.1', false],
    ['Connection: keep-alive\r\nConnection: close\r\n', 'HTTP/1.1', false],
    ['', 'HTTP/1.0', false],
    ['Connection: Keep-Alive\r\n', 'HTTP/1.0', true],
  ])('with %j in %s keeps its connection: %s', (headers, version, keepAlive) => {
    expect(read(`GET / ${version}\r\nHost: x\r\n${headers}\r\n`).heads[0]).toMatchObject({ keepAlive });
  });

  it('asks for another protocol only where Connection names the wish', () => {
    const upgrade = (headers: string) => read(`GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n`).heads[0]?.upgrade;
    expect(upgrade('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n')).toBe('websocket');
    expect(upgrade('Upgrade: websocket\r\n')).toBeUndefined();
    expect(upgrade('Connection: upgrade\r\n')).toBeUndefined();
  });
});

describe('an answer', () => {
  const answer = (text: string, method = 'GET'): AnswerHead | Fault => {
    const scanner = new LineScanner(bounds, false);
    const bytes = Buffer.from(text, 'latin1');
    return scanner.feed(bytes, 0) < 0 ? (scanner.fault as Fault) : readAnswerHead(scanner, method);
  };

  it.each([
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { kind: 'length', length: 5 }, true],
    ['GET', 'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n', { kind: 'chunked' }, true],
    ['GET', 'HTTP/1.1 200 \r\n\r\n', { kind: 'until-close' }, false],
    ['GET', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n', { kind: 'length', length: 5 }, false],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { kind: 'none' }, true],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', { kind: 'none' }, true],
    ['GET', 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n', { kind: 'none' }, false],
    ['GET', 'HTTP/1.1 102 Processing\r\n\r\n', { kind: 'none' }, true],
  ])('to %s of %j has its end known', (method, text, framing, keepAlive) => {
    expect(answer(text, method)).toMatchObject({ framing, keepAlive });
  });

  it('says how long its connection is kept', () => {
    expect(answer('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\n\r\n')).toMatchObject({ keepAliveSeconds: 5 });
  });

  it.each([
    '\r\n',
    'SMTP 220 hello\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\na : b\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 1\n\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  ])('of %j is none', (text) => {
    expect(answer(text)).toBeInstanceOf(Fault);
  });
});
