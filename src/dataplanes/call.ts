import { randomUUID } from 'node:crypto';
import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import type { AskedTime } from './deadline.ts';
import type { Incoming, Outgoing, Upgrade } from './exchange.ts';
import type { RawHeaders } from './headers.ts';

/** A body as far as it matters for a second try: kept whole, or still with the client. */
export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'kept'; readonly bytes: Buffer }
  /** `length` is absent when the client sends chunks. */
  | { readonly kind: 'stream'; readonly length?: number };

/** Bodies up to this length are kept for a second try elsewhere; longer ones are sent once, after the target agreed. */
export const keptBytes = 64 * 1024;

export type CallPhase =
  /** Nothing is done with it yet, or something has just ended and the next is being decided. */
  | 'deciding'
  /** For room. */
  | 'waiting'
  /** It has room and waits for a replica. */
  | 'holding'
  | 'running'
  | 'ended';

/** One invocation at this node, from its first byte to the last of its answer. */
export class Call {
  readonly request: Incoming;
  readonly response: Outgoing;
  readonly key: FunctionKey;
  /** What follows the function's name: path and query, beginning with a slash. */
  readonly path: string;
  readonly callId: string;
  /** The peer that sent it; undefined for this node's own users. */
  readonly from: NodeId | undefined;
  /** Of the client, or the id of the peer. */
  readonly address: string;
  readonly hops: number;
  /** Without those that are written anew where the call goes. */
  headers: RawHeaders;
  /** Milliseconds, monotonic. */
  readonly startedAt: number;
  /** When a client's call came, in nanoseconds since the epoch, as function and client are told; undefined where a peer sent it. */
  readonly startTime: string | undefined;
  /** What the caller says of the time it has. */
  readonly asked: AskedTime;
  /** The client waits for leave to send its body. */
  readonly expectsContinue: boolean;
  /** Asked for; where it is not granted the answer is as any other. */
  readonly upgrade: Upgrade | undefined;
  body: Body;
  tried: NodeId[] = [];
  phase: CallPhase = 'deciding';
  /** While it waits for room: not longer than this (milliseconds of the process); 0 before it first waits. */
  waitUntil = 0;
  /** The same, for a replica. */
  holdUntil = 0;
  /** Counted as started, so that it must be counted as finished. */
  metered = false;
  /**
   * What runs it elsewhere, and can end that. An object and not a closure: with one made for each call, V8 kept half of
   * what calls had used until a major collection, and every minor one took as long as the calls of a busy moment.
   */
  carrier: { cancel(why: Error): void } | undefined;
  /** In the list of those whose time runs. */
  place = -1;
  bodyBegun = false;
  /** When its time is over, milliseconds, monotonic. */
  endsAt = 0;
  /** Its time is less than the function's own: whoever runs it must be told. */
  shortened = false;
  /** When it was given to the replica or peer that has it; 0 while none does. */
  ranAt = 0;
  /** Its connection speaks another protocol now. */
  switched = false;
  /** The name of the node whose replica answered. */
  servedBy: string | undefined;
  /** The reason that a peer gave for not answering. */
  reason: Reason | undefined;
  traceparentOut: string | undefined;
  /** Of the bodies, as far as they went. That of the request is counted only where somebody asks. */
  bytesIn = 0;
  bytesOut = 0;

  constructor(
    facts: Pick<
      Call,
      | 'request'
      | 'response'
      | 'key'
      | 'path'
      | 'from'
      | 'address'
      | 'hops'
      | 'headers'
      | 'startedAt'
      | 'startTime'
      | 'asked'
      | 'expectsContinue'
      | 'upgrade'
      | 'body'
    > & { readonly callId: string | undefined },
  ) {
    this.request = facts.request;
    this.response = facts.response;
    this.key = facts.key;
    this.path = facts.path;
    this.callId = facts.callId ?? randomUUID();
    this.from = facts.from;
    this.address = facts.address;
    this.hops = facts.hops;
    this.headers = facts.headers;
    this.startedAt = facts.startedAt;
    this.startTime = facts.startTime;
    this.asked = facts.asked;
    this.expectsContinue = facts.expectsContinue;
    this.upgrade = facts.upgrade;
    this.body = facts.body;
  }

  /** Lets a client that asked for leave send its body; call it once the call has found its place. */
  begin(): void {
    if (this.bodyBegun) return;
    this.bodyBegun = true;
    if (this.expectsContinue) this.response.writeContinue();
  }

  get ended(): boolean {
    return this.phase === 'ended';
  }
}

/** What the head says of the body, before any of it is read. */
export const bodyOf = ({ framing }: Pick<Incoming, 'framing'>): Body => {
  if (framing.kind === 'none') return framing;
  return framing.kind === 'length' ? { kind: 'stream', length: framing.length } : { kind: 'stream' };
};

/**
 * Reads a short body whole, so that the call may be tried at more than one place. `done(undefined)` when the client
 * left before it was sent.
 */
export const keep = (request: Pick<Incoming, 'on' | 'once'>, done: (bytes: Buffer | undefined) => void): void => {
  const chunks: Buffer[] = [];
  let settled = false;
  const settle = (bytes: Buffer | undefined): void => {
    if (settled) return;
    settled = true;
    done(bytes);
  };
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.once('end', () => settle(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
  request.once('close', () => settle(undefined));
};
