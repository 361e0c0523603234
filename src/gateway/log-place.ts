import { isBefore, timeOf } from './log-order.ts';
import type { LogLine, LogQuery } from './needs.ts';

/** What of a log is asked for. */
export type LogWish = Pick<LogQuery, 'tail' | 'since'>;

type Told = {
  /** Of its last line that was told. */
  timestamp: string;
  /** Lines of that time that were told. */
  count: number;
  /** Of these, the ones that are yet to come again. */
  again: number;
};

/** Replicas of which it is known how far they were told; of what is older, those that spoke last longest ago go first. */
const maxReplicas = 100;
/** A node looks at its replicas one after the other, so one that is heard for the first time may have spoken before the last line of another. */
const marginMs = 10_000;

/**
 * How far one node's log was told, so that it can be asked again from there. A replica's lines of the time of its last one are
 * told apart by their number: they come again in the same order. What comes again is in the order of time, as everything that is
 * there when a log is asked for; a line out of that order is new, and all after it.
 */
export class LogPlace {
  readonly #asked: LogWish;
  readonly #replicas = new Map<string, Told>();
  /** Of replicas that are not known, what is not later was told, or was left out from the beginning. */
  #floor: { readonly timestamp: string } | undefined;
  /** Of the first line of a tail, which may have left out any that is as old, also where it broke off before it was whole. */
  #cutAt: string | undefined;
  #heard = false;
  /** While what was told may come again: the line before. */
  #before: { readonly timestamp: string } | undefined;
  #isAgain = false;

  constructor(asked: LogWish) {
    this.#asked = asked;
  }

  /** What to ask for, and that the lines of the answer come next. */
  begin(): LogWish {
    this.#isAgain = this.#heard;
    this.#before = undefined;
    if (!this.#heard) return this.#asked;
    this.#leaveOut();
    return { tail: 0, since: this.#since() };
  }

  /** What there was is told: what comes from now on is wanted, however much it is. */
  heard(): void {
    this.#heard = true;
  }

  /** Whether a line was not told yet. It is from now on. */
  takes(line: LogLine): boolean {
    if (this.#isAgain && this.#cameAgain(line)) return false;
    this.#note(line);
    return true;
  }

  #cameAgain(line: LogLine): boolean {
    this.#isAgain = !isBefore(line, this.#before);
    this.#before = { timestamp: line.timestamp };
    return this.#isAgain && this.#wasTold(line);
  }

  #wasTold(line: LogLine): boolean {
    const told = this.#replicas.get(line.instance);
    if (told === undefined) return this.#floor !== undefined && !isBefore(this.#floor, line);
    if (told.timestamp !== line.timestamp) return isBefore(line, told);
    return told.again-- > 0;
  }

  #note({ instance, timestamp }: LogLine): void {
    if (!this.#heard && this.#asked.tail > 0) this.#cutAt = timestamp;
    this.#heard = true;
    const told = this.#replicas.get(instance);
    if (told === undefined) {
      this.#replicas.set(instance, { timestamp, count: 1, again: 0 });
      if (this.#replicas.size > maxReplicas) this.#forget();
      return;
    }
    told.count = told.timestamp === timestamp ? told.count + 1 : 1;
    told.timestamp = timestamp;
    told.again = 0;
  }

  #forget(): void {
    const [id, told] = [...this.#replicas].reduce((a, b) => (isBefore(b[1], a[1]) ? b : a));
    this.#replicas.delete(id);
    this.#raise(told.timestamp);
  }

  #raise(timestamp: string): void {
    if (this.#floor === undefined || isBefore(this.#floor, { timestamp })) this.#floor = { timestamp };
  }

  #leaveOut(): void {
    if (this.#cutAt !== undefined) this.#raise(this.#cutAt);
    for (const told of this.#replicas.values()) {
      told.again = told.timestamp === this.#cutAt ? Infinity : told.count;
    }
  }

  #since(): number {
    const oldest = Math.min(...[...this.#replicas.values()].map(timeOf));
    const from = Number.isFinite(oldest) ? oldest - marginMs : 0;
    return Math.max(this.#asked.since, timeOf(this.#floor), from);
  }
}
