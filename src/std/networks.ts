import { BlockList, isIP } from 'node:net';

/** Whether `text` is `ADDRESS` or `ADDRESS/BITS`, of either family. */
export const isNetwork = (text: string): boolean => parse(text) !== undefined;

/** Answers of an address whether it is in one of `networks`. What is no network holds nothing. */
export const addressIn = (networks: readonly string[]): ((address: string) => boolean) => {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks.map(parse)) {
    if (network !== undefined) list.addSubnet(network.address, network.bits, network.family);
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
};

type Network = { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' };

const parse = (text: string): Network | undefined => {
  const [address = '', length, more] = text.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (version === 0 || more !== undefined || !(bits <= most)) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
};
