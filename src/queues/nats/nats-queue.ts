import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, createInbox, credsAuthenticator, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../std/clock.ts';
import { OneAtATime } from '../../std/one-at-a-time.ts';
import { checkItem } from '../check-item.ts';
import {
  defaultLimits,
  type Cancelled,
  type LaneStats,
  type Queue,
  type QueueItem,
  type QueueLimits,
  type Ready,
  type Taken,
} from '../queue.ts';
import { deliveryOf, type Delivery } from './delivery.ts';
import { find } from './find.ts';
import { frame } from './frame.ts';
import { NatsLanes } from './nats-lanes.ts';
import { NatsDeadLetters } from './nats-dead-letters.ts';
import { natsTaken } from './nats-taken.ts';
import { isMissing, isUnanswered, translated } from './refusals.ts';
import { serverIdentity } from './server-identity.ts';
import { setUpStreams } from './streams.ts';
import { parseSubject, parseToken, subjectsOf, type Subjects } from './subjects.ts';

export type NatsQueueConfig = {
  /** `host:port` of one or several servers of one system. */
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** The text of a `.creds` file. */
  readonly credentials?: string;
  /** Present: a server without TLS is refused. Texts in PEM; the machine's authorities where `ca` is missing. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Begins the names of streams and subjects; queues of different names know nothing of each other. Default `skein`. */
  readonly name?: string;
  /** Servers that keep each message, 1 to 5. Default 1. */
  readonly replicas?: number;
};

export type NatsQueueNeeds = { readonly clock: Pick<Clock, 'now' | 'monotonic'> };

/** How long the server may take to answer. */
const answerMs = 5_000;
const takeMs = 1_000;
/** Other nodes' leases and retries come due without a word to us. */
const [pollBusyMs, pollIdleMs] = [1_000, 5_000];
const maxSameCall = 1_000;
/** Envelope and protocol, beside meta and body. */
const overhead = 65_536;

/**
 * A queue of several nodes in a NATS JetStream, which takes over from a node that is gone once the lease has run out. The server's
 * `max_payload` bounds an item as well. Differs from a stored queue in this: what was taken once counts as running until it is
 * done, also between two attempts, and can no longer be cancelled, for the server alone knows who has it; a follow-up needs room.
 * What it accepted outlives the server's process; whether it outlives a power cut is for the server's `sync_interval` and `replicas` to say.
 * Rejects with `unavailable` when no server answers.
 */
export const openNatsQueue = async (
  config: NatsQueueConfig,
  needs: NatsQueueNeeds,
  limits: Partial<QueueLimits> = {},
): Promise<Queue> => {
  const connection = await translated(connectTo(config));
  try {
    const room = connection.info?.max_payload ?? defaultLimits.itemBytes;
    const wanted = { ...defaultLimits, ...limits };
    const bounded = { ...wanted, itemBytes: Math.min(wanted.itemBytes, room - overhead) };
    return await translated(NatsQueue.open(connection, config, needs, bounded));
  } catch (error) {
    await connection.close();
    throw error;
  }
};

const connectTo = ({ servers, user, password, token, credentials, tls }: NatsQueueConfig): Promise<NatsConnection> => {
  const verifying = { checkServerIdentity: serverIdentity(servers) };
  return connect({
    servers: [...servers],
    name: 'skein',
    maxReconnectAttempts: -1,
    timeout: answerMs,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(Buffer.from(credentials)) }),
    ...(tls === undefined ? {} : { tls: { ...tls, ...verifying } }),
  });
};

class NatsQueue implements Queue {
  readonly shared = true;
  readonly dead: NatsDeadLetters;
  readonly #connection: NatsConnection;
  readonly #needs: NatsQueueNeeds;
  readonly limits: QueueLimits;
  readonly #subjects: Subjects;
  readonly #manager: JetStreamManager;
  readonly #lanes: NatsLanes;
  readonly #stream: JetStreamClient;
  readonly #wakes = new Set<() => void>();
  /** What this node has taken, per lane. */
  readonly #held = new Map<string, number>();
  readonly #takes = new OneAtATime();

  static async open(
    connection: NatsConnection,
    config: NatsQueueConfig,
    needs: NatsQueueNeeds,
    limits: QueueLimits,
  ): Promise<NatsQueue> {
    const subjects = subjectsOf(config.name ?? 'skein');
    const manager = await jetstreamManager(connection, { timeout: answerMs });
    await setUpStreams(manager, subjects, limits, config.replicas ?? 1);
    return new NatsQueue(connection, manager, subjects, needs, limits);
  }

  private constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    subjects: Subjects,
    needs: NatsQueueNeeds,
    limits: QueueLimits,
  ) {
    this.#connection = connection;
    this.#needs = needs;
    this.limits = limits;
    this.#subjects = subjects;
    this.#manager = manager;
    this.#lanes = new NatsLanes(manager, subjects, limits, needs.clock);
    this.#stream = jetstream(connection, { timeout: answerMs });
    this.dead = new NatsDeadLetters(manager, subjects, (item) => this.#publish(item));
    connection.subscribe(subjects.wake, { callback: () => this.#wake() });
  }

  async add(item: QueueItem): Promise<void> {
    checkItem(item, this.limits.itemBytes);
    this.#lanes.reserve(item.lane);
    await this.#publish(item);
  }

  async take(lane: string): Promise<Taken | undefined> {
    if (!(await translated(this.#lanes.isThere(lane)))) return undefined;
    // Requests side by side may be kept waiting by the server, though it was told not to.
    const message = await this.#takes.run(() => this.#next(lane));
    const delivery = message === undefined ? undefined : deliveryOf(message);
    if (message === undefined || delivery === undefined) return undefined;
    return this.#taken(message, delivery);
  }

  async ready(): Promise<Ready> {
    const consumers = await translated(this.#lanes.list());
    await this.#lanes.findLost(consumers);
    const lanes = consumers
      .map(({ name, num_pending, num_ack_pending }) => ({ lane: parseToken(name), num_pending, num_ack_pending }))
      .filter((known) => known.num_pending > 0 || known.num_ack_pending > (this.#held.get(known.lane) ?? 0))
      .map(({ lane }) => lane);
    return { lanes, nextInMs: lanes.length > 0 ? pollBusyMs : pollIdleMs };
  }

  onReady(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  async cancel(callId: string): Promise<Cancelled> {
    const counts = { cancelled: 0, running: 0 };
    const filter = this.#subjects.call(callId);
    for (let seq = 1, seen = 0; seen < maxSameCall; seen++) {
      const message = await translated(find(this.#manager, this.#subjects.stream, seq, filter));
      if (message === undefined) break;
      seq = message.seq + 1;
      const waited = await translated(this.#remove(parseSubject(message.subject).lane, message.seq));
      counts[waited ? 'cancelled' : 'running']++;
    }
    return counts;
  }

  async stats(): Promise<readonly LaneStats[]> {
    return translated(this.#stats());
  }

  async close(): Promise<void> {
    this.#wakes.clear();
    if (!this.#connection.isClosed()) await this.#connection.close();
  }

  async #publish(item: QueueItem, messageId?: string): Promise<void> {
    await translated(this.#lanes.makeSure(item.lane));
    const data = frame({ meta: item.meta }, item.body);
    const subject = this.#subjects.item(item.lane, item.callId);
    await translated(this.#stream.publish(subject, data, messageId === undefined ? {} : { msgID: messageId }));
    this.#connection.publish(this.#subjects.wake);
  }

  async #next(lane: string): Promise<Msg | undefined> {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#subjects.stream}.${this.#subjects.consumer(lane)}`;
    // A delivered message bears its own subject: it needs a subscription of its own to be known for the answer.
    const options = { timeout: takeMs, noMux: true, reply: createInbox() };
    try {
      return await this.#connection.request(subject, JSON.stringify({ batch: 1, no_wait: true }), options);
    } catch (error) {
      // Another node was quicker and the server lets us wait for the next item.
      if (isUnanswered(error) && !this.#connection.isClosed()) return undefined;
      return translated(Promise.reject(error));
    }
  }

  #taken(message: Msg, delivery: Delivery): Taken {
    const { lane } = parseSubject(message.subject);
    this.#hold(lane, 1);
    let held = true;
    return natsTaken(message, delivery, {
      stream: this.#subjects.stream,
      itemBytes: this.limits.itemBytes,
      nowMs: () => this.#needs.clock.now(),
      tell: async (word) => {
        await translated(this.#connection.request(message.reply as string, word, { timeout: answerMs }));
      },
      add: (item, messageId) => this.#publish(item, messageId),
      keepDead: async ({ callId }, data, messageId) => {
        await translated(this.#stream.publish(this.#subjects.dead(lane, callId), data, { msgID: messageId }));
      },
      letGo: () => {
        if (held) this.#hold(lane, -1);
        held = false;
      },
    });
  }

  #hold(lane: string, by: number): void {
    const held = (this.#held.get(lane) ?? 0) + by;
    if (held > 0) this.#held.set(lane, held);
    else this.#held.delete(lane);
  }

  /** Removes a message that was never delivered. False when it was, if only just before it was removed. */
  async #remove(lane: string, sequence: number): Promise<boolean> {
    if (await this.#lanes.wasDelivered(lane, sequence)) return false;
    try {
      await this.#manager.streams.deleteMessage(this.#subjects.stream, sequence, false);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    return !(await this.#lanes.wasDelivered(lane, sequence));
  }

  async #stats(): Promise<readonly LaneStats[]> {
    const dead = await this.dead.counts();
    const stats = new Map<string, LaneStats>();
    for (const { name, num_pending, num_ack_pending } of await this.#lanes.list()) {
      const lane = parseToken(name);
      const oldestAgeMs = num_pending + num_ack_pending === 0 ? 0 : await this.#oldestAgeMs(lane);
      stats.set(lane, { lane, waiting: num_pending, running: num_ack_pending, dead: 0, oldestAgeMs });
    }
    for (const [lane, count] of dead) {
      const others = stats.get(lane) ?? { lane, waiting: 0, running: 0, oldestAgeMs: 0 };
      stats.set(lane, { ...others, dead: count });
    }
    return [...stats.values()]
      .filter(({ waiting, running, dead: buried }) => waiting + running + buried > 0)
      .sort((a, b) => (a.lane < b.lane ? -1 : 1));
  }

  async #oldestAgeMs(lane: string): Promise<number> {
    const oldest = await find(this.#manager, this.#subjects.stream, 1, this.#subjects.lane(lane));
    return oldest === undefined ? 0 : Math.max(0, this.#needs.clock.now() - oldest.time.getTime());
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
