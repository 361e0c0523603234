import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { notFound } from '../check-item.ts';
import type { DeadLetter, DeadLetters, QueueItem } from '../queue.ts';
import { find } from './find.ts';
import { unframe } from './frame.ts';
import { isMissing, translated } from './refusals.ts';
import { parseSubject, type Subjects } from './subjects.ts';

/** A stream of their own, in which a letter's id is its number. */
export class NatsDeadLetters implements DeadLetters {
  readonly #manager: JetStreamManager;
  readonly #subjects: Subjects;
  readonly #add: (item: QueueItem) => Promise<void>;

  constructor(manager: JetStreamManager, subjects: Subjects, add: (item: QueueItem) => Promise<void>) {
    this.#manager = manager;
    this.#subjects = subjects;
    this.#add = add;
  }

  async list(limit: number, after?: string): Promise<readonly DeadLetter[]> {
    const wanted = Math.min(1_000, Math.max(1, limit));
    const letters: DeadLetter[] = [];
    let sequence = after === undefined ? 1 : (sequenceOf(after) ?? 0) + 1;
    while (letters.length < wanted) {
      const message = await translated(
        find(this.#manager, this.#subjects.deadStream, sequence, this.#subjects.allDead),
      );
      if (message === undefined) break;
      letters.push(toLetter(message));
      sequence = message.seq + 1;
    }
    return letters;
  }

  async replay(id: string): Promise<void> {
    const message = await this.#get(id);
    const { envelope, body } = unframe(message.data);
    await this.#add({ ...parseSubject(message.subject), meta: envelope.meta, body });
    await this.#delete(id, message.seq);
  }

  async drop(id: string): Promise<void> {
    const { seq } = await this.#get(id);
    await this.#delete(id, seq);
  }

  /** How many there are in each lane. */
  async counts(): Promise<ReadonlyMap<string, number>> {
    const options = { subjects_filter: this.#subjects.allDead };
    const { state } = await this.#manager.streams.info(this.#subjects.deadStream, options);
    const counts = new Map<string, number>();
    for (const [subject, count] of Object.entries(state.subjects ?? {})) {
      const { lane } = parseSubject(subject);
      counts.set(lane, (counts.get(lane) ?? 0) + count);
    }
    return counts;
  }

  async #get(id: string): Promise<StoredMsg> {
    const seq = sequenceOf(id);
    if (seq === undefined) throw notFound(id);
    try {
      const message = await this.#manager.streams.getMessage(this.#subjects.deadStream, { seq });
      if (message !== null) return message;
    } catch (error) {
      if (!isMissing(error)) return translated(Promise.reject(error));
    }
    throw notFound(id);
  }

  async #delete(id: string, seq: number): Promise<void> {
    try {
      await this.#manager.streams.deleteMessage(this.#subjects.deadStream, seq, false);
    } catch (error) {
      if (isMissing(error)) throw notFound(id);
      await translated(Promise.reject(error));
    }
  }
}

const sequenceOf = (id: string): number | undefined => (/^[1-9]\d{0,14}$/.test(id) ? Number(id) : undefined);

const toLetter = ({ seq, subject, data, time }: StoredMsg): DeadLetter => {
  const { envelope, body } = unframe(data);
  const { meta, why = '', attempts = 0, addedAtMs = 0 } = envelope;
  const bytes = body.length + Buffer.byteLength(meta);
  return { id: String(seq), ...parseSubject(subject), why, attempts, addedAtMs, buriedAtMs: time.getTime(), bytes };
};
