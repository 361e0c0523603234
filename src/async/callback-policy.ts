import { BlockList, isIP, isIPv4 } from 'node:net';
import { SkeinError } from '../domain/errors.ts';

export type CallbackConfig = {
  /** Refuses callbacks to addresses that are not public: loopback, private, link-local (cloud metadata), multicast, reserved. */
  readonly refusePrivate: boolean;
  /** Networks (`10.1.0.0/16`, `fd00::/8`, `192.0.2.7`) to which callbacks go all the same. */
  readonly except: readonly string[];
};

/** Whether callbacks may go to an address: pure, so that it is asked of what a name resolved to and nothing else is connected to. */
export type CallbackPolicy = { allows(address: string): boolean };

/** IANA's special-purpose registries, without what is globally reachable. */
const privateNetworks = [
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24',
  '192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
  // The tunnels (6to4, Teredo, NAT64) carry an IPv4 address inside, which may be any.
  '::/127 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:db8::/32 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8',
]
  .join(' ')
  .split(' ');

/** `invalid` when a network is none. */
export const callbackPolicy = ({ refusePrivate, except }: CallbackConfig): CallbackPolicy => {
  const refused = blockList(privateNetworks);
  const excepted = blockList(except);
  return {
    allows: (address) => {
      // A zone (`fe80::1%eth0`) is of no interest.
      const plain = address.replace(/%.*$/, '');
      if (isIP(plain) === 0) return false;
      // A `BlockList` itself looks inside `::ffff:10.0.0.1`.
      const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
      return !refusePrivate || excepted.check(plain, family) || !refused.check(plain, family);
    },
  };
};

/** The address of an `X-Callback-Url`. `invalid` says what is wrong, and refuses at once what the policy would refuse later. */
export const checkCallbackUrl = (text: string, policy: CallbackPolicy): URL => {
  const url = URL.parse(text);
  if (text.length > maxUrl || url === null) throw invalid(text, 'is no absolute address');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(text, 'must begin with http:// or https://');
  const literal = literalOf(url);
  if (literal !== undefined && !policy.allows(literal))
    throw invalid(text, 'is an address to which this node does not post');
  return url;
};

/** The IP address that a URL names without a name; undefined when it has a host name. */
export const literalOf = ({ hostname }: URL): string | undefined => {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
};

const maxUrl = 2_048;

const invalid = (text: string, what: string): SkeinError =>
  new SkeinError(
    'invalid',
    `X-Callback-Url ${JSON.stringify(text.slice(0, 200))} ${what}: correct it, or leave it out.`,
  );

const blockList = (networks: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const network of networks) add(list, network);
  return list;
};

const add = (list: BlockList, network: string): void => {
  const [address = '', bits, ...rest] = network.split('/');
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const most = family === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  const sound = isIP(address) !== 0 && rest.length === 0 && bits !== '' && Number.isInteger(length);
  if (!sound || length < 0 || length > most) {
    throw new SkeinError('invalid', `${JSON.stringify(network)} is no network: write it as 10.1.0.0/16 or fd00::/8.`);
  }
  list.addSubnet(address, length, family);
};
