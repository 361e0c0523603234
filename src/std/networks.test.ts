import { expect, it } from 'vitest';
import { addressIn, isNetwork } from './networks.ts';

it.each(['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8', '0.0.0.0/0'])('knows %s for a network', (text) => {
  expect(isNetwork(text)).toBe(true);
});

it.each(['', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', 'fd00::/129', 'example.org', '/8'])(
  'knows %j for none',
  (text) => expect(isNetwork(text)).toBe(false),
);

it('tells which addresses are in one of some networks', () => {
  const isIn = addressIn(['10.1.0.0/16', '192.168.7.7', 'fd00::/8']);
  expect(['10.1.255.1', '192.168.7.7', 'fd12::1'].map(isIn)).toEqual([true, true, true]);
  expect(['10.2.0.1', '192.168.7.8', 'fe80::1', '::1', '', 'nonsense'].map(isIn)).toEqual(Array(6).fill(false));
  expect(addressIn([])('10.0.0.1')).toBe(false);
});
