import { SkeinError } from '../domain/errors.ts';
import { maxCallId, maxLane, type QueueItem } from './queue.ts';

export const sizeOf = ({ meta, body }: QueueItem): number => body.length + Buffer.byteLength(meta);

/** Refuses, with `invalid` or `too-large`, what no queue of that limit takes. */
export const checkItem = (item: QueueItem, itemBytes: number): void => {
  checkName('lane', item.lane, maxLane);
  checkName('call id', item.callId, maxCallId);
  const bytes = sizeOf(item);
  if (bytes <= itemBytes) return;
  throw new SkeinError(
    'too-large',
    `A call of ${bytes} bytes (headers and body) is more than the queue keeps for one, ${itemBytes} bytes: send a smaller body, or where to find it.`,
  );
};

const checkName = (what: string, text: string, max: number): void => {
  if (text.length > 0 && text.length <= max) return;
  throw new SkeinError('invalid', `The ${what} has ${text.length} characters; it must have 1 to ${max}.`);
};

export const notFound = (id: string): SkeinError =>
  new SkeinError(
    'not-found',
    `There is no dead letter ${JSON.stringify(id.slice(0, 64))}: list them to see which there are.`,
  );

export const laneIsFull = (lane: string, items: number): SkeinError =>
  new SkeinError(
    'full',
    `The queue of ${lane} is full: ${items} of its calls wait or run, and others need room too. Try again later.`,
  );
