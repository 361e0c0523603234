import type { FunctionKey } from '../../../domain/ids.ts';
import { nodePlace, waitingPlace } from '../../../routing/places.ts';
import type { Turns } from '../../turns.ts';
import type { SharedMemory } from './shared-memory.ts';
import type { SharedPlaces } from './shared-places.ts';

/** Room is passed on for a difference that somebody may notice: it lies idle on its way. */
const noticedMs = 10;

export type SharedTurnsNeeds = {
  readonly memory: SharedMemory;
  readonly places: SharedPlaces;
  /** This one's number, from 0. */
  readonly thread: number;
  /** Another thread has room for those who wait in this one. */
  readonly onRoom: () => void;
};

/** Turns among threads, by the times that each writes down of its oldest calls. */
export class SharedTurns implements Turns {
  readonly #needs: SharedTurnsNeeds;
  /** The first call of each queue that waits for a slot of the node, and since when. */
  readonly #forSlots = new Map<FunctionKey, number>();
  #own = 0;
  #listens = false;

  constructor(needs: SharedTurnsNeeds) {
    this.#needs = needs;
  }

  joined(): void {
    const { words, waitingWord } = this.#needs.memory;
    this.#own += 1;
    Atomics.add(words, waitingWord, 1);
    this.#listen();
  }

  left(): void {
    const { words, waitingWord } = this.#needs.memory;
    this.#own -= 1;
    Atomics.sub(words, waitingWord, 1);
  }

  tell(key: FunctionKey, since: number | undefined, forSlot: boolean): void {
    this.#write(waitingPlace(key), since);
    const before = this.#forSlots.get(key);
    const now = forSlot ? since : undefined;
    if (before === now) return;
    if (now === undefined) this.#forSlots.delete(key);
    else this.#forSlots.set(key, now);
    const times = [...this.#forSlots.values()];
    this.#write(nodePlace, times.length === 0 ? undefined : Math.min(...times));
  }

  isFirst(key: FunctionKey, since: number): boolean {
    const stamp = stampOf(since);
    if (!this.#isBehind(waitingPlace(key), stamp) && !this.#isBehind(nodePlace, stamp)) return true;
    this.freed();
    return false;
  }

  freed(): void {
    const { words, waitingWord, wakesWord } = this.#needs.memory;
    if (Atomics.load(words, waitingWord) <= this.#own) return;
    Atomics.add(words, wakesWord, 1);
    Atomics.notify(words, wakesWord);
  }

  /** As long as something waits here. */
  #listen(): void {
    if (this.#listens || this.#own === 0) return;
    const { words, wakesWord } = this.#needs.memory;
    const woken = Atomics.waitAsync(words, wakesWord, Atomics.load(words, wakesWord));
    this.#listens = true;
    void Promise.resolve(woken.value).then(() => {
      this.#listens = false;
      this.#needs.onRoom();
      this.#listen();
    });
  }

  #write(place: string, since: number | undefined): void {
    const { memory, places, thread } = this.#needs;
    const number = places.numberOf(place);
    if (number === undefined) return;
    Atomics.store(memory.words, memory.sinceWord(number, thread), since === undefined ? 0 : stampOf(since));
  }

  /** Whether another thread has had a call there for longer than since `stamp`. */
  #isBehind(place: string, stamp: number): boolean {
    const { memory, places, thread } = this.#needs;
    const number = places.numberOf(place);
    if (number === undefined) return false;
    for (let other = 0; other < memory.threads; other += 1) {
      if (other === thread) continue;
      const theirs = Atomics.load(memory.words, memory.sinceWord(number, other));
      if (theirs !== 0 && ((theirs - stamp) | 0) < -noticedMs) return true;
    }
    return false;
  }
}

/** Milliseconds in 32 bits, of which differences of days are right; 0 means none. */
const stampOf = (since: number): number => Math.floor(since) | 0 || 1;
