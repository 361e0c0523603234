import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

type Check = (host: string, certificate: PeerCertificate) => Error | undefined;

/** What the client gives as the name of a server that it reached by its address. */
const nameOfAddresses = 'localhost';

/**
 * Checks that a certificate is for the server that was called. The client names servers that have a name; of one that is configured
 * by its address the certificate has to be for one of the addresses that are configured.
 */
export const serverIdentity = (servers: readonly string[]): Check => {
  const hosts = servers.map(hostOf);
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  return (host, certificate) => {
    if (host !== nameOfAddresses || addresses.length === 0) return checkServerIdentity(host, certificate);
    const candidates = hosts.includes(nameOfAddresses) ? [nameOfAddresses, ...addresses] : addresses;
    const problems = candidates.map((candidate) => checkServerIdentity(candidate, certificate));
    return problems.includes(undefined) ? undefined : problems[0];
  };
};

/** `host:port` or `[ipv6]:port`; the port may be missing. */
const hostOf = (server: string): string =>
  /^\[(.+)\](?::\d+)?$/.exec(server)?.[1] ?? (isIP(server) === 6 ? server : server.replace(/:\d+$/, ''));
