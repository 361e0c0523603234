import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '../../std/clock.ts';
import { laneIsFull } from '../check-item.ts';
import type { QueueLimits } from '../queue.ts';
import { isMissing, translated } from './refusals.ts';
import { setUpLane } from './streams.ts';
import { parseSubject, parseToken, type Subjects } from './subjects.ts';

const lookForLostMs = 60_000;
const knownLaneMs = 3_600_000;
const maxKnownLanes = 10_000;

/** The consumers of a queue's stream: one per lane, shared by all nodes. */
export class NatsLanes {
  readonly #manager: JetStreamManager;
  readonly #subjects: Subjects;
  readonly #limits: QueueLimits;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** When each was last made sure of; monotonic. */
  readonly #known = new Map<string, number>();
  /** Those that there were when the server was last asked. */
  #seen: ReadonlySet<string> = new Set();
  /** Items of each lane, as the server last said, and those that this node added since. */
  #counts = new Map<string, number>();
  #lookedForLostMs = -Infinity;

  constructor(manager: JetStreamManager, subjects: Subjects, limits: QueueLimits, clock: Pick<Clock, 'monotonic'>) {
    this.#manager = manager;
    this.#subjects = subjects;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Before anything is added to a lane, somebody must count it. */
  async makeSure(lane: string): Promise<void> {
    const now = this.#clock.monotonic();
    const since = this.#known.get(lane);
    if (since !== undefined && now - since < knownLaneMs) return;
    await setUpLane(this.#manager, this.#subjects, lane, this.#limits);
    if (this.#known.size >= maxKnownLanes) this.#known.clear();
    this.#known.set(lane, now);
  }

  /** `full` when the lane holds as many as one may. The count is some seconds old, as far as other nodes add to it. */
  reserve(lane: string): void {
    const count = this.#counts.get(lane) ?? 0;
    if (count >= this.#limits.laneItems) throw laneIsFull(lane, count);
    this.#counts.set(lane, count + 1);
  }

  /** A lane that this node has not seen may be another's; asking the server for the next item of none would take long. */
  async isThere(lane: string): Promise<boolean> {
    if (this.#known.has(lane) || this.#seen.has(lane)) return true;
    try {
      await this.#manager.consumers.info(this.#subjects.stream, this.#subjects.consumer(lane));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async list(): Promise<readonly ConsumerInfo[]> {
    const consumers: ConsumerInfo[] = [];
    for await (const info of this.#manager.consumers.list(this.#subjects.stream)) consumers.push(info);
    this.#seen = new Set(consumers.map(({ name }) => parseToken(name)));
    this.#counts = new Map(
      consumers.map(({ name, num_pending, num_ack_pending }) => [parseToken(name), num_pending + num_ack_pending]),
    );
    return consumers;
  }

  /** Items that no consumer counts: theirs was forgotten by the server while nobody took from it. */
  async findLost(consumers: readonly ConsumerInfo[]): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#lookedForLostMs < lookForLostMs) return;
    this.#lookedForLostMs = now;
    const options = { subjects_filter: this.#subjects.all };
    const { state } = await translated(this.#manager.streams.info(this.#subjects.stream, options));
    const counted = new Set(consumers.map(({ name }) => parseToken(name)));
    const lost = new Set(Object.keys(state.subjects ?? {}).map((subject) => parseSubject(subject).lane));
    for (const lane of lost) {
      if (counted.has(lane)) continue;
      await translated(setUpLane(this.#manager, this.#subjects, lane, this.#limits));
    }
  }

  async wasDelivered(lane: string, sequence: number): Promise<boolean> {
    try {
      const info = await this.#manager.consumers.info(this.#subjects.stream, this.#subjects.consumer(lane));
      return info.delivered.stream_seq >= sequence;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}
