import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../identity.ts';
import { dialable, maxAddresses, parseBootstrap } from './addresses.ts';

const { id } = createIdentity();

describe('addresses', () => {
  it.each([
    ['192.0.2.1:4001', '/ip4/192.0.2.1/tcp/4001'],
    ['[2001:db8::1]:4001', '/ip6/2001:db8::1/tcp/4001'],
    ['node-1.example.org:4001', '/dns/node-1.example.org/tcp/4001'],
    [`/ip4/192.0.2.1/tcp/4001/p2p/${id}`, `/ip4/192.0.2.1/tcp/4001/p2p/${id}`],
  ])('%s is understood', (text, expected) => {
    expect(parseBootstrap(text).toString()).toBe(expected);
  });

  it.each(['', 'host', 'host:0', 'host:65536', ':4001', '/ip4/192.0.2.1/udp/4001', '/nonsense', 'a b:1'])(
    '"%s" is refused with what to write',
    (text) => {
      expect(() => parseBootstrap(text)).toThrow(expect.objectContaining({ code: 'invalid' }));
    },
  );

  it('of a peer begin with where it is seen, and hold no wildcards', () => {
    expect(dialable(id, ['/ip4/0.0.0.0/tcp/7', '/ip4/10.0.0.1/tcp/7'], '192.0.2.9')).toEqual([
      `/ip4/192.0.2.9/tcp/7/p2p/${id}`,
      `/ip4/10.0.0.1/tcp/7/p2p/${id}`,
    ]);
  });

  it('are few, whatever a peer says', () => {
    const many = Array.from({ length: 100 }, (_, n) => `/ip4/10.0.0.${n}/tcp/7`);
    expect(dialable(id, many)).toHaveLength(maxAddresses);
    fc.assert(fc.property(fc.array(fc.string()), (texts) => dialable(id, texts).length <= maxAddresses));
  });
});
