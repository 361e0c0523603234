const kinds: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'closed',
  EPIPE: 'closed',
  UND_ERR_SOCKET: 'closed',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  ENOTFOUND: 'unresolved',
  EAI_AGAIN: 'unresolved',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EMFILE: 'too-many-files',
  EADDRNOTAVAIL: 'no-local-port',
};

/** The name under which a request's error is counted (`LoadResult.errors`). */
export const errorKind = (error: Error): string => {
  // undici gives these no code of their own.
  if (error.name === 'HTTPParserError') return 'malformed';
  const code = nearestCode(error);
  if (/^ERR_(TLS|SSL)|CERT|UNABLE_TO_VERIFY|^EPROTO$/.test(code)) return 'tls';
  return kinds[code] ?? 'other';
};

/** The code of an error, or of the cause nearest to it that has one. */
const nearestCode = (error: Error): string => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
};
