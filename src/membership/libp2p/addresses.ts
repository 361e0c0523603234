import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import { isIP } from 'node:net';
import { SkeinError } from '../../domain/errors.ts';
import type { NodeId } from '../../domain/ids.ts';
import type { Announcement } from '../message.ts';

/** Most addresses of one peer that are kept. */
export const maxAddresses = 8;

type Place = { readonly host: string; readonly port: number };

/** The multiaddr that `HOST:PORT`, `[IPv6]:PORT` or a multiaddr spells. `invalid` when it spells none. */
export const parseBootstrap = (text: string): Multiaddr => {
  const address = text.startsWith('/') ? parse(text) : parse(fromHostAndPort(text));
  if (address === undefined || placeOf(address) === undefined) {
    throw new SkeinError(
      'invalid',
      `"${text}" is no address to bootstrap from: write HOST:PORT, or a multiaddr such as /ip4/192.0.2.1/tcp/4001`,
    );
  }
  return address;
};

export const tcpAddress = ({ host, port }: Place): string => {
  const family = isIP(host);
  const protocol = family === 4 ? 'ip4' : family === 6 ? 'ip6' : 'dns';
  return `/${protocol}/${host}/tcp/${port}`;
};

/** The host at the other end of a connection. */
export const hostOf = (address: Multiaddr): string | undefined => placeOf(address)?.host;

/**
 * Where to dial a peer that says it listens at `announced` and was seen at `seenHost`: first the ports it named at the
 * host it was seen at — it may not know its own address —, then what it named. Only TCP, no wildcards, its id appended.
 */
export const dialable = (id: NodeId, announced: readonly string[], seenHost?: string): readonly string[] => {
  const named = announced.slice(0, 2 * maxAddresses).flatMap((text) => placeOf(parse(text)) ?? []);
  const seen = seenHost === undefined ? [] : named.map(({ port }) => ({ host: seenHost, port }));
  const places = [...seen, ...named.filter(({ host }) => !isWildcard(host))];
  return [...new Set(places.map((place) => `${tcpAddress(place)}/p2p/${id}`))].slice(0, maxAddresses);
};

/** The announcement with a wildcard host of its peer listener replaced by the host it is seen or says to listen at. */
export const reachable = (announcement: Announcement, seenHost?: string): Announcement => {
  if (!isWildcard(announcement.peer.host)) return announcement;
  const named = announcement.addresses.flatMap((text) => placeOf(parse(text))?.host ?? []);
  const outside = named.filter((host) => !isWildcard(host));
  const host = seenHost ?? outside.find((host) => !isLoopback(host)) ?? outside[0];
  return host === undefined ? announcement : { ...announcement, peer: { ...announcement.peer, host } };
};

export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

const isLoopback = (host: string): boolean => host === '::1' || host === 'localhost' || host.startsWith('127.');

const fromHostAndPort = (text: string): string => {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? '' : tcpAddress({ host, port });
};

const parse = (text: string): Multiaddr | undefined => {
  try {
    return text.startsWith('/') ? multiaddr(text) : undefined;
  } catch {
    return undefined;
  }
};

/** Undefined for anything but a host, TCP and perhaps a peer id. */
const placeOf = (address: Multiaddr | undefined): Place | undefined => {
  const [host, tcp, id, more] = address?.getComponents() ?? [];
  const isHost = host !== undefined && ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host.name);
  if (!isHost || host.value === undefined || tcp?.name !== 'tcp' || more !== undefined) return undefined;
  if (id !== undefined && id.name !== 'p2p') return undefined;
  const port = Number(tcp.value);
  return port > 0 ? { host: host.value, port } : undefined;
};
