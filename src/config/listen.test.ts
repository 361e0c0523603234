import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatListen, parseListen } from './listen.ts';

test.each([
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:8080', { host: '::1', port: 8080 }],
  [':8080', { host: '::', port: 8080 }],
])('%s is an address', (text, address) => {
  expect(parseListen(text)).toEqual(address);
});

test.each(['8080', 'localhost', 'localhost:', '::1:8080', '[::1]', 'a b:80', '127.0.0.1:65536', 'http://x:80', ''])(
  '%j is no address',
  (text) => {
    expect(parseListen(text)).toBeUndefined();
  },
);

test('what is written is read back', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      expect(parseListen(formatListen({ host, port }))).toEqual({ host, port });
    }),
  );
});
