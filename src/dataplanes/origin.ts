import type { Incoming } from './exchange.ts';
import { allValuesOf, forwardable, valueOf, type RawHeaders } from './headers.ts';

/** Says of an address whether a proxy stands there whose words about clients are believed. */
export type IsTrusted = (address: string) => boolean;

/** Without the prefix that addresses of the older family carry on a socket for both. */
export const addressOf = ({ socket }: Incoming): string => (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d)/i, '');

const text = (values: readonly string[]): string => values.join(', ');

/**
 * The headers of a client's request that travel on, with those about where it comes from. A client's own words about
 * that are replaced; those of a proxy that is trusted are kept, and its address is appended.
 */
export const withOrigin = (request: Incoming, from: string, isTrusted: IsTrusted, startTime: string): RawHeaders => {
  const raw = request.rawHeaders;
  const headers = forwardable(raw);
  const host = valueOf(raw, 'host') ?? '';
  if (!isTrusted(from)) {
    headers.push('X-Forwarded-For', from, 'X-Forwarded-Host', host, 'X-Forwarded-Proto', 'http');
  } else {
    headers.push(
      ...['X-Forwarded-For', text([...allValuesOf(raw, 'x-forwarded-for'), from])],
      ...['X-Forwarded-Host', valueOf(raw, 'x-forwarded-host') ?? host],
      ...['X-Forwarded-Proto', valueOf(raw, 'x-forwarded-proto') ?? 'http'],
    );
  }
  headers.push('X-Start-Time', startTime);
  return headers;
};

const wordsOfPeers = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-start-time'] as const;

/** The same for what a peer passes on: its words about the client are believed. */
export const withOriginOf = (request: Incoming): RawHeaders => {
  const headers = forwardable(request.rawHeaders);
  for (const name of wordsOfPeers) {
    const value = valueOf(request.rawHeaders, name);
    if (value !== undefined) headers.push(name, value);
  }
  return headers;
};
