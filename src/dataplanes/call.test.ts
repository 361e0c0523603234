import { describe, expect, it } from 'vitest';
import { bodyOf } from './call.ts';
import type { Incoming } from './exchange.ts';

const withHeaders = (...rawHeaders: string[]) => ({ rawHeaders }) as unknown as Incoming;

describe('what the headers say of a body', () => {
  it.each(['0', '00', '000000'])('a length of %s is none', (length) => {
    expect(bodyOf(withHeaders('Content-Length', length))).toEqual({ kind: 'none' });
  });

  it('a length is told, chunks have none', () => {
    expect(bodyOf(withHeaders('content-length', '07'))).toEqual({ kind: 'stream', length: 7 });
    expect(bodyOf(withHeaders('Transfer-Encoding', 'chunked'))).toEqual({ kind: 'stream' });
    expect(bodyOf(withHeaders())).toEqual({ kind: 'none' });
  });
});
