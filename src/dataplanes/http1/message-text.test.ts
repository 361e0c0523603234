import { describe, expect, it } from 'vitest';
import { seeded } from '../../std/random.ts';
import { statusLine, writeFields } from './message-text.ts';

describe('a head that goes out', () => {
  it('has every header as it is given, one a line, but for those of the connection', () => {
    const headers = ['A', 'x: y', 'Connection', 'close', 'Content-Length', '5', 'B', '', 'C', '\tcaf\xe9 '];
    expect(writeFields(statusLine(200), headers)).toEqual({
      text: 'HTTP/1.1 200 OK\r\nA: x: y\r\nB: \r\nC: \tcaf\xe9 \r\n',
      length: 5,
      close: true,
      dated: false,
      hosted: false,
    });
  });

  it('is refused, by the name of the header, where a value would not stay within its line', () => {
    const random = seeded(11);
    const characters = ['a', ' ', ':', '\t', '\r', '\n', '\r\n', '\0', '\x1f', '\x7f', '\xe9', '\u0100', '\u{1f600}'];
    const pick = (): string => characters[Math.floor(random() * characters.length)] as string;
    for (let round = 0; round < 20_000; round += 1) {
      const values = Array.from({ length: 3 }, () =>
        random() < 0.6 ? 'harmless' : Array.from({ length: 1 + Math.floor(random() * 4) }, pick).join(''),
      );
      const headers = values.flatMap((value, index) => [`X-${index}`, value]);
      const wrong = values.findIndex((value) => /[^\t\x20-\x7e\x80-\xff]/.test(value));
      const written = (): string => writeFields(statusLine(200), headers).text;
      if (wrong < 0)
        expect(written()).toBe(`HTTP/1.1 200 OK\r\n${values.map((one, index) => `X-${index}: ${one}\r\n`).join('')}`);
      else expect(written).toThrow(`the header "X-${wrong}" cannot be sent`);
    }
  });

  it('is refused where a name is none', () => {
    for (const name of ['', 'a b', 'a:', 'a\r\nb', 'é']) {
      expect(() => writeFields(statusLine(200), [name, 'x'])).toThrow('cannot be sent');
    }
  });
});
