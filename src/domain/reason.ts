/**
 * Why a call was not answered by its function. Sent to clients as `X-Skein-Reason`, counted in
 * `skein_requests_rejected_total{reason}`.
 */
export const reasons = [
  /** No room: at this node and, if it may forward, at the peers it asked. */
  'full',
  /** A rate that the function's labels set (`dfaas.maxrate`) or that a peer was granted is used up. */
  'over-rate',
  /** It waited as long as the function's queue allows. */
  'queue-timeout',
  /** The function is known, but nothing here or at a peer runs it now. */
  'no-replica',
  /** It cannot be started, at any node where it lives: nobody can run it until that is mended. */
  'start-failed',
  'unknown-function',
  /** The node is leaving and takes no new calls. */
  'draining',
  /** The function or the peer did not answer in time. */
  'timeout',
  /** The caller claims to be a peer on a channel that does not prove it. */
  'not-a-peer',
  /** The replica broke: it closed the connection or answered no HTTP. */
  'function-failed',
  /** The body is longer than this node takes. */
  'too-large',
  /** The queue of asynchronous calls cannot keep it now: its disk or its server does not answer. */
  'queue-failed',
  /** It says of itself what cannot be, such as an `X-Timeout` that is no duration. */
  'bad-request',
] as const;

export type Reason = (typeof reasons)[number];

const known: ReadonlySet<string> = new Set(reasons);

export const isReason = (text: string | undefined): text is Reason => text !== undefined && known.has(text);
