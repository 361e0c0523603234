import type { Msg } from '@nats-io/transport-node';
import { checkItem } from '../check-item.ts';
import { maxDelayMs, maxWhy, type QueueItem, type Taken } from '../queue.ts';
import type { Delivery } from './delivery.ts';
import { frame, unframe } from './frame.ts';
import { parseSubject } from './subjects.ts';

/** What the queue does for an item on loan. */
export type TakenNeeds = {
  readonly stream: string;
  readonly itemBytes: number;
  nowMs(): number;
  /** Says a word about the item to the server, and waits until it heard it. */
  tell(word: string): Promise<void>;
  /** A second item of the same message id is dropped by the server. */
  add(item: QueueItem, messageId: string): Promise<void>;
  keepDead(item: QueueItem, data: Uint8Array, messageId: string): Promise<void>;
  /** The item is no longer ours. */
  letGo(): void;
};

/** A delivered message as an item on loan. What is written twice because the server fell silent bears one message id. */
export const natsTaken = (message: Msg, { attempt, addedAtMs, sequence }: Delivery, needs: TakenNeeds): Taken => {
  const { envelope, body } = unframe(message.data);
  const item: QueueItem = { ...parseSubject(message.subject), meta: envelope.meta, body };
  const key = `${needs.stream}/${sequence}`;
  const settle = async (word: string): Promise<void> => {
    needs.letGo();
    await needs.tell(word);
  };
  const follow = async (followUp: QueueItem | undefined): Promise<void> => {
    if (followUp === undefined) return;
    checkItem(followUp, needs.itemBytes);
    await needs.add(followUp, `${key}/next`);
  };
  return {
    item,
    attempt,
    ageMs: Math.max(0, needs.nowMs() - addedAtMs),
    extend: () => needs.tell('+WPI'),
    done: async (followUp) => {
      await follow(followUp);
      await settle('+ACK');
    },
    retryLater: (delayMs) => {
      const delay = Math.round(Math.min(maxDelayMs, Math.max(0, delayMs)) * 1_000_000);
      return settle(delay === 0 ? '-NAK' : `-NAK ${JSON.stringify({ delay })}`);
    },
    bury: async (why, followUp) => {
      const dead = { meta: item.meta, why: why.slice(0, maxWhy), attempts: attempt, addedAtMs };
      await needs.keepDead(item, frame(dead, body), `${key}/dead`);
      await follow(followUp);
      await settle('+TERM');
    },
  };
};
