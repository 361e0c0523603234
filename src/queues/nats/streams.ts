import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type ConsumerInfo,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { QueueLimits } from '../queue.ts';
import { isThere } from './refusals.ts';
import type { Subjects } from './subjects.ts';

const ns = (ms: number): number => ms * 1_000_000;

/** A follow-up or a dead letter that is written twice within this time is kept once. */
const duplicateWindowMs = 600_000;
/** The server forgets the consumer of a lane from which nobody took for this long. */
const laneForgottenMs = 86_400_000;

/** Makes the queue's two streams, or brings them to these limits. */
export const setUpStreams = async (
  manager: JetStreamManager,
  subjects: Subjects,
  limits: QueueLimits,
  replicas: number,
): Promise<void> => {
  const common = {
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs: limits.items,
    max_bytes: limits.bytes,
    duplicate_window: ns(duplicateWindowMs),
  };
  await setUp(manager, {
    ...common,
    name: subjects.stream,
    subjects: [subjects.all],
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
  });
  await setUp(manager, {
    ...common,
    name: subjects.deadStream,
    subjects: [subjects.allDead],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
  });
};

const setUp = async (
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<void> => {
  try {
    await manager.streams.add(config);
  } catch (error) {
    if (!isThere(error)) throw error;
    await manager.streams.update(config.name, config);
  }
};

/** Makes the consumer from which a lane's items are taken, or brings it to this lease. */
export const setUpLane = async (
  manager: JetStreamManager,
  subjects: Subjects,
  lane: string,
  limits: QueueLimits,
): Promise<ConsumerInfo> => {
  const settings = {
    ack_wait: ns(limits.leaseMs),
    max_ack_pending: limits.items,
    inactive_threshold: ns(laneForgottenMs),
  };
  try {
    return await manager.consumers.add(subjects.stream, {
      ...settings,
      durable_name: subjects.consumer(lane),
      filter_subject: subjects.lane(lane),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_deliver: -1,
    });
  } catch (error) {
    if (!isThere(error)) throw error;
    return await manager.consumers.update(subjects.stream, subjects.consumer(lane), settings);
  }
};
