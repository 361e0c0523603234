import { JetStreamApiError } from '@nats-io/jetstream';
import { TimeoutError } from '@nats-io/transport-node';
import { SkeinError, messageOf } from '../../domain/errors.ts';

/** What the server or the connection refused, in our words: `full` or `unavailable`. */
export const translated = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    const full = error instanceof JetStreamApiError && /maximum (messages|bytes)/.test(error.message);
    const sentence = full
      ? 'The queue is full: as many calls wait or run as it keeps. Try again later.'
      : `The NATS server did not take it: ${messageOf(error)}. Try again later.`;
    throw new SkeinError(full ? 'full' : 'unavailable', sentence, { cause: error });
  }
};

/** The API codes that mean: it is there already, with other settings. */
export const isThere = (error: unknown): boolean =>
  error instanceof JetStreamApiError && [10_058, 10_013, 10_148, 10_105].includes(error.code);

export const isMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && [10_014, 10_037, 10_043, 10_059].includes(error.code);

export const isUnanswered = (error: unknown): boolean => error instanceof TimeoutError;
