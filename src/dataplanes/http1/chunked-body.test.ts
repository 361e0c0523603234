import { describe, expect, it } from 'vitest';
import { readAll } from './messages.testing.ts';

const chunked = (body: string) =>
  readAll([Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`, 'latin1')]);

describe('chunks', () => {
  it.each([
    ['0\r\n\r\n', ''],
    ['5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 'hello'],
    ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
    ['005\r\nhello\r\n000\r\n\r\n', 'hello'],
    ['5;a;b=c;d="e f"\r\nhello\r\n0;x\r\n\r\n', 'hello'],
    ['5\r\nhello\r\n0\r\nX-Late: yes\r\nEtag: "x"\r\n\r\n', 'hello'],
    ['4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
  ])('of %j are %j', (text, body) => {
    expect(chunked(text)).toMatchObject({ messages: [{ body }], fault: undefined });
  });

  it.each([
    '\r\n',
    '\r\n0\r\n\r\n',
    ' 0\r\n\r\n',
    '0 \r\n\r\n',
    '0\t\r\n\r\n',
    '0x0\r\n\r\n',
    '-1\r\n',
    '+0\r\n\r\n',
    'g\r\n',
    '5\nhello\r\n0\r\n\r\n',
    '5\r\nhello\n0\r\n\r\n',
    '5\r\nhello0\r\n\r\n',
    '1\r\nxx\r\n0\r\n\r\n',
    '1\r\nx\r\r\n0\r\n\r\n',
    '1\r\nxy\n0\r\n\r\n',
    '5\r\r\nhello\r\n',
    'fffffffffffffffff\r\n',
    '100000000000000000\r\n',
    '00000000000000\r\n',
    '5;\r\nhello\r\n0\r\n\r\n',
    '5;a=\r\nhello\r\n0\r\n\r\n',
    '5;a\nb\r\nhello\r\n0\r\n\r\n',
    '5;a\rb\r\nhello\r\n0\r\n\r\n',
    '5;a="b\r\nhello\r\n0\r\n\r\n',
    '5; a\r\nhello\r\n0\r\n\r\n',
    `5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`,
    '0\r\nnone\r\n\r\n',
    '0\r\na : b\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\nTransfer-Encoding: chunked\r\n\r\n',
    '0\r\nHost: y\r\n\r\n',
    '0\r\na: b\n\r\n',
    `0\r\na: ${'b'.repeat(10_000)}\r\n\r\n`,
    `0\r\n${'a: b\r\n'.repeat(100)}\r\n`,
  ])('of %j are none', (text) => {
    expect(chunked(text)).toMatchObject({ messages: [], fault: { sentence: expect.stringMatching(/\.$/) } });
  });

  it('that have not come whole are waited for', () => {
    const whole = '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n';
    for (let length = 0; length < whole.length; length += 1) {
      expect(chunked(whole.slice(0, length))).toMatchObject({ messages: [], fault: undefined });
    }
  });
});
