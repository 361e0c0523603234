import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { isMissing } from './refusals.ts';

/** The first message from `seq` on whose subject matches; undefined when there is none. */
export const find = async (
  manager: JetStreamManager,
  stream: string,
  seq: number,
  subject: string,
): Promise<StoredMsg | undefined> => {
  const query = { seq, next_by_subj: subject };
  try {
    return (await manager.streams.getMessage(stream, query)) ?? undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};
