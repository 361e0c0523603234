import type { Upgrade } from './exchange.ts';
import type { RequestHead } from './http1/head.ts';
import type { Http1Outgoing } from './http1/outgoing.ts';
import { parseTarget } from './target.ts';

/**
 * What a request asks for that may become another protocol; undefined for others. The connection ends with the answer, also
 * where it is not granted: what follows may be meant in the other protocol.
 */
export const upgradeOf = (head: RequestHead, response: Http1Outgoing): Upgrade | undefined => {
  const { upgrade: protocol } = head;
  if (protocol === undefined || !mayUpgrade(head, protocol)) return undefined;
  response.isLast = true;
  return { protocol, accept: (headers) => response.accept(headers) };
};

/**
 * Of a function, without a body, and not to HTTP/2, which would carry requests past everything that looks at them here. For
 * others the wish is not heard, and does not travel.
 */
const mayUpgrade = ({ method, target, framing }: RequestHead, protocol: string): boolean =>
  method === 'GET' &&
  framing.kind === 'none' &&
  /^[\w./-]+$/.test(protocol) &&
  !/^h2/i.test(protocol) &&
  parseTarget(target) !== undefined;
