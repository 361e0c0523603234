import type { Reason } from '../domain/reason.ts';
import type { Outgoing } from './exchange.ts';

const sentences: Record<Reason, (subject: string, hint: string) => string> = {
  full: (name) => `There is no room for ${name} now: this node and the peers it asked are busy. Try again shortly.`,
  'over-rate': (name) => `More calls to ${name} came than its rate allows. Try again shortly.`,
  'queue-timeout': (name) => `The call to ${name} waited for room as long as its queue allows. Try again shortly.`,
  'no-replica': (name) => `Nothing runs ${name} at this moment, here or at a peer. Try again shortly.`,
  'start-failed': (name, hint) =>
    `${name} cannot be started now, here or at a peer.${hint} See why: skein describe ${name}`,
  'unknown-function': (name, hint) => `No function named ${name} is deployed.${hint} See which are: skein list`,
  draining: () => 'This node is leaving the federation and takes no new calls. Use another node.',
  timeout: (name) => `${name} did not answer in time.`,
  'not-a-peer': () => 'This caller claims to be a node of the federation, on a channel that does not prove it.',
  'function-failed': (name) => `${name} broke off without a whole answer. Its log says more.`,
  'too-large': (name, hint) => `The body of this call to ${name} is longer than this node takes.${hint}`,
  'queue-failed': (name, hint) => `The call to ${name} cannot be kept for later now.${hint} Try again shortly.`,
  'bad-request': (name, hint) => `This call to ${name} cannot be understood.${hint}`,
};

/** What a refused caller reads. */
export const sentenceOf = (reason: Reason, subject: string, hint = ''): string => sentences[reason](subject, hint);

/** To be said beside `queue-failed`. */
export const noAgent = 'The agent of this node does not run or has no time.';

/** What is said where anything but a call was asked for meanwhile. */
export const unmanaged =
  'The agent of this node does not run or has no time, so nothing can be managed here now. Calls to functions go on.';

/** Which refusals of a peer mean that the call did not run there, so that another place may be tried. */
export const notRun: ReadonlySet<string> = new Set<Reason>([
  'full',
  'over-rate',
  'queue-timeout',
  'no-replica',
  'start-failed',
  'unknown-function',
  'draining',
  // It does not know this node yet, or no more.
  'not-a-peer',
]);

export type Refusal = {
  readonly status: number;
  readonly reason: Reason;
  /** The function's name, or what else the sentence is about. */
  readonly subject: string;
  /** More to say: a sentence. */
  readonly hint?: string | undefined;
  /** The connection ends with this answer. */
  readonly closes?: boolean;
  readonly node: string;
  readonly callId: string | undefined;
  /** Nanoseconds since the epoch; for clients. */
  readonly startTime?: string | undefined;
  readonly load: string | undefined;
};

/** The one place where a call that its function did not answer becomes an answer. Answers the length of its body. */
export const refuse = (response: Outgoing, refusal: Refusal): number => {
  const { status, reason, subject, hint, node, callId, startTime, load } = refusal;
  const body = Buffer.from(`${sentences[reason](subject, hint === undefined ? '' : ` ${hint}`)}\n`);
  const headers = [
    'Content-Type',
    'text/plain; charset=utf-8',
    'X-Content-Type-Options',
    'nosniff',
    'Content-Length',
    String(body.length),
    'X-Skein-Node',
    node,
    'X-Skein-Reason',
    reason,
    'X-OpenFaaS-Internal',
    'skein',
  ];
  if (callId !== undefined) headers.push('X-Call-Id', callId);
  if (startTime !== undefined) headers.push('X-Start-Time', startTime);
  if (load !== undefined) headers.push('X-Skein-Load', load);
  if (status === 503 || status === 429) headers.push('Retry-After', '1');
  if (refusal.closes === true) headers.push('Connection', 'close');
  response.writeHead(status, headers);
  response.end(body);
  return body.length;
};
