import type { Msg } from '@nats-io/transport-node';

/** What the reply subject of a delivered message tells. */
export type Delivery = {
  /** The message's number in its stream. */
  readonly sequence: number;
  /** How often it was delivered, this time included. */
  readonly attempt: number;
  /** Milliseconds since the epoch. */
  readonly addedAtMs: number;
};

/**
 * `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.NUMBER.NANOSECONDS.PENDING`; newer servers put domain and account behind `ACK`.
 * Undefined when the message is a status: nothing was due.
 */
export const deliveryOf = ({ reply = '' }: Msg): Delivery | undefined => {
  if (!reply.startsWith('$JS.ACK.')) return undefined;
  const tokens = reply.split('.');
  const [attempt, sequence, , nanoseconds] = tokens.slice(tokens.length > 9 ? 6 : 4);
  return {
    sequence: Number(sequence),
    attempt: Number(attempt),
    addedAtMs: Number(nanoseconds) / 1_000_000,
  };
};
