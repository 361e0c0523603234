import { parseSeconds } from '../std/duration.ts';

/** What a caller says of the time it has. */
export type AskedTime =
  | { readonly kind: 'none' }
  | { readonly kind: 'ms'; readonly ms: number }
  | { readonly kind: 'nonsense' };

const none: AskedTime = { kind: 'none' };
const nonsense: AskedTime = { kind: 'nonsense' };

/**
 * Of a client: `X-Timeout`, a duration as Go writes it (`5s`, `1m30s`, `250ms`) or a number of seconds; 0 is no bound, as for
 * every time-out of OpenFaaS.
 */
export const clientTime = (text: string | undefined): AskedTime => {
  if (text === undefined) return none;
  const ms = parseSeconds(text.trim());
  return ms === undefined ? nonsense : { kind: 'ms', ms: ms === 0 ? Infinity : ms };
};

/** Of a peer: `X-Skein-Deadline`, the milliseconds that are left. */
export const peerTime = (text: string | undefined): AskedTime => {
  if (text === undefined) return none;
  return /^-?\d{1,12}$/.test(text) ? { kind: 'ms', ms: Number(text) } : nonsense;
};
