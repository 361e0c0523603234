import { isIPv4, isIPv6 } from 'node:net';
import { parseListen } from './listen.ts';

const multiaddr = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}(\/p2p\/[1-9A-Za-z]+)?$/;

/** The multiaddr that `text` spells: `host:port` or a TCP multiaddr itself. Undefined when it spells none. */
export const parseBootstrapAddress = (text: string): string | undefined => {
  if (multiaddr.test(text)) return text;
  const address = parseListen(text);
  if (address === undefined || address.port === 0 || text.startsWith(':')) return undefined;
  const { host, port } = address;
  const kind = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns';
  return `/${kind}/${host}/tcp/${port}`;
};
