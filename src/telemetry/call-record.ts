import type { FunctionKey } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';

/**
 * What is known of one call at this node once it has ended. It holds no query, no body and no header but the trace's,
 * so that it may be written down.
 */
export type CallRecord = {
  readonly callId: string;
  /** `NAME.NAMESPACE`, as asked for; the plan need not know it. */
  readonly functionName: FunctionKey;
  readonly method: string;
  /** As asked for, beginning with `/function/`, without the query. */
  readonly path: string;
  /** Of the answer; 499 where the client left before it was whole, 502 and 504 where it was broken off in the middle. */
  readonly status: number;
  /** Why the function did not answer; undefined when it did. */
  readonly reason: Reason | undefined;
  /** The address of the client, or the id of the peer that passed the call on. */
  readonly from: string;
  readonly fromPeer: boolean;
  /** The name of the node whose replica answered; undefined when none did. */
  readonly servedBy: string | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** From its head's arrival to the moment when it was given to the replica or peer that had it last, or to its end. */
  readonly waitMs: number;
  /** From then to its end; 0 when nobody had it. */
  readonly runMs: number;
  /** Both together. */
  readonly durationMs: number;
  /** Of the request's body, as far as it was read, and of the answer's. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The W3C trace context as it came, and as it went on to the peer or the replica. */
  readonly traceparentIn: string | undefined;
  readonly traceparentOut: string | undefined;
};

/** Told of each call once, when it has ended. It must not throw and must not take long: calls wait for it. */
export type OnCall = (record: CallRecord) => void;
