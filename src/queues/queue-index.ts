import { SkeinError } from '../domain/errors.ts';
import { laneIsFull } from './check-item.ts';
import type { QueueLimits, Ready } from './queue.ts';

/** An item without its content, and where it stands. */
export type Entry = {
  readonly id: number;
  readonly lane: string;
  readonly callId: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  addedAtMs: number;
  /** How often it was taken. */
  attempt: number;
  state: 'waiting' | 'delayed' | 'taken';
  /** Monotonic: when a delayed one is due, or the lease of a taken one ends. */
  untilMs: number;
};

type Bounds = Pick<QueueLimits, 'items' | 'bytes' | 'laneItems' | 'laneBytes'>;
type Lane = { readonly waiting: Set<Entry>; size: number };

/** Which items there are, who waits and who is taken: the deciding half of a stored queue. Times are monotonic milliseconds. */
export class QueueIndex {
  readonly #limits: Bounds;
  readonly #entries = new Map<number, Entry>();
  readonly #lanes = new Map<string, Lane>();
  readonly #calls = new Map<string, Set<Entry>>();
  readonly #taken = new Set<Entry>();
  /** Soonest first. */
  readonly #delayed: Entry[] = [];
  /** Per lane, with those that are being written. */
  readonly #held = new Map<string, { readonly items: number; readonly bytes: number }>();
  #items = 0;
  #bytes = 0;

  constructor(limits: Bounds) {
    this.#limits = limits;
  }

  /** Keeps room for an item that is being written. `full` when there is none. */
  reserve(lane: string, bytes: number): void {
    const { items, laneItems, laneBytes } = this.#limits;
    if (this.#items >= items || this.#bytes + bytes > this.#limits.bytes) {
      throw new SkeinError(
        'full',
        `The queue is full: ${this.#items} calls with ${this.#bytes} bytes wait or run. Try again later.`,
      );
    }
    const held = this.#held.get(lane) ?? { items: 0, bytes: 0 };
    if (held.items >= laneItems || held.bytes + bytes > laneBytes) throw laneIsFull(lane, held.items);
    this.charge(lane, bytes);
  }

  /** Counts an item without asking whether there is room: it takes another's place, or was accepted before. */
  charge(lane: string, bytes: number): void {
    this.#items++;
    this.#bytes += bytes;
    const held = this.#held.get(lane) ?? { items: 0, bytes: 0 };
    this.#held.set(lane, { items: held.items + 1, bytes: held.bytes + bytes });
  }

  release(lane: string, bytes: number): void {
    this.#items--;
    this.#bytes -= bytes;
    const held = this.#held.get(lane);
    if (held === undefined) return;
    if (held.items === 1) this.#held.delete(lane);
    else this.#held.set(lane, { items: held.items - 1, bytes: held.bytes - bytes });
  }

  /** Adds an entry whose room was kept. */
  put(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    const lane = this.#lanes.get(entry.lane) ?? { waiting: new Set(), size: 0 };
    this.#lanes.set(entry.lane, lane);
    lane.size++;
    const call = this.#calls.get(entry.callId) ?? new Set();
    this.#calls.set(entry.callId, call.add(entry));
    this.#stand(entry);
  }

  /** Forgets the entry and its room; false when that happened before. */
  remove(entry: Entry): boolean {
    if (!this.#entries.delete(entry.id)) return false;
    this.#leave(entry);
    const lane = this.#lanes.get(entry.lane);
    if (lane !== undefined && --lane.size === 0) this.#lanes.delete(entry.lane);
    const call = this.#calls.get(entry.callId);
    call?.delete(entry);
    if (call?.size === 0) this.#calls.delete(entry.callId);
    this.release(entry.lane, entry.bytes);
    return true;
  }

  take(lane: string, nowMs: number, leaseMs: number): Entry | undefined {
    this.#wake(nowMs);
    const [entry] = this.#lanes.get(lane)?.waiting ?? [];
    if (entry === undefined) return undefined;
    entry.attempt++;
    this.move(entry, 'taken', nowMs + leaseMs);
    return entry;
  }

  move(entry: Entry, state: Entry['state'], untilMs: number): void {
    if (!this.#entries.has(entry.id)) return;
    this.#leave(entry);
    entry.state = state;
    entry.untilMs = untilMs;
    this.#stand(entry);
  }

  ready(nowMs: number): Ready {
    this.#wake(nowMs);
    const lanes = [...this.#lanes].filter(([, { waiting }]) => waiting.size > 0).map(([lane]) => lane);
    let next = this.#delayed[0]?.untilMs ?? Infinity;
    for (const { untilMs } of this.#taken) next = Math.min(next, untilMs);
    return { lanes, nextInMs: next === Infinity ? undefined : Math.max(0, next - nowMs) };
  }

  ofCall(callId: string): readonly Entry[] {
    return [...(this.#calls.get(callId) ?? [])];
  }

  has({ id }: Entry): boolean {
    return this.#entries.has(id);
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  #stand(entry: Entry): void {
    if (entry.state === 'waiting') this.#lanes.get(entry.lane)?.waiting.add(entry);
    else if (entry.state === 'taken') this.#taken.add(entry);
    else this.#delayed.splice(this.#behind(entry.untilMs), 0, entry);
  }

  #leave(entry: Entry): void {
    if (entry.state === 'waiting') this.#lanes.get(entry.lane)?.waiting.delete(entry);
    else if (entry.state === 'taken') this.#taken.delete(entry);
    else this.#delayed.splice(this.#delayed.indexOf(entry), 1);
  }

  /** What is due, and what its taker kept for too long, waits again. */
  #wake(nowMs: number): void {
    for (let first = this.#delayed[0]; first !== undefined && first.untilMs <= nowMs; first = this.#delayed[0]) {
      this.move(first, 'waiting', 0);
    }
    for (const entry of this.#taken) if (entry.untilMs <= nowMs) this.move(entry, 'waiting', 0);
  }

  #behind(untilMs: number): number {
    let [low, high] = [0, this.#delayed.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#delayed[middle]?.untilMs ?? Infinity) <= untilMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
