import { describe, expect, it } from 'vitest';
import { bodyOf, type Body } from './call.ts';
import type { RequestHead } from './http1/head.ts';
import { readAll } from './http1/messages.testing.ts';

/** Of a request with this header, as the listener reads it. */
const bodyWith = (field: string): Body => {
  const { heads } = readAll([Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`)]);
  return bodyOf(heads[0] as RequestHead);
};

describe('what the headers say of a body', () => {
  it.each(['0', '00', '000000'])('a length of %s is none', (length) => {
    expect(bodyWith(`Content-Length: ${length}`)).toEqual({ kind: 'none' });
  });

  it('a length is told, chunks have none', () => {
    expect(bodyWith('content-length: 07')).toEqual({ kind: 'stream', length: 7 });
    expect(bodyWith('Transfer-Encoding: chunked')).toEqual({ kind: 'stream' });
    expect(bodyWith('X-Other: 1')).toEqual({ kind: 'none' });
  });
});
