import { expect, test } from 'vitest';
import { parseBootstrapAddress } from './bootstrap-address.ts';

test.each([
  ['10.0.0.1:11080', '/ip4/10.0.0.1/tcp/11080'],
  ['[fd00::1]:11080', '/ip6/fd00::1/tcp/11080'],
  ['node-1.example.org:11080', '/dns/node-1.example.org/tcp/11080'],
  ['/ip4/10.0.0.1/tcp/11080', '/ip4/10.0.0.1/tcp/11080'],
  ['/dns4/a.example/tcp/1/p2p/12D3KooWabc', '/dns4/a.example/tcp/1/p2p/12D3KooWabc'],
])('%s is %s', (text, multiaddr) => {
  expect(parseBootstrapAddress(text)).toBe(multiaddr);
});

test.each(['10.0.0.1', ':11080', '10.0.0.1:0', '/ip4/10.0.0.1/udp/1', '/ip4/10.0.0.1', 'http://x:1', ''])(
  '%j is no address of a peer',
  (text) => {
    expect(parseBootstrapAddress(text)).toBeUndefined();
  },
);
