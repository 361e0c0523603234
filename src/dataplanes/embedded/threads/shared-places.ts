import { nodePlace } from '../../../routing/places.ts';
import { ownPlaces, type PeerPlace, type Place, type Places } from '../../../routing/occupancy.ts';
import { SharedBucket } from './shared-bucket.ts';
import type { SharedMemory } from './shared-memory.ts';
import { SharedOccupancy } from './shared-occupancy.ts';
import { SharedSuspicion } from './shared-suspicion.ts';
import { nodeNumber, type PlaceChanges } from './place-directory.ts';

/** The places of one thread: those that the directory names are everybody's, others its own. */
export class SharedPlaces implements Places {
  readonly #memory: SharedMemory;
  readonly #thread: number;
  readonly #numbers = new Map<string, number>([[nodePlace, nodeNumber]]);

  constructor(memory: SharedMemory, thread: number) {
    this.#memory = memory;
    this.#thread = thread;
  }

  /** To be told before the plan whose places they are. */
  learn({ added, removed }: PlaceChanges): void {
    for (const name of removed) this.#forget(name);
    for (const [name, number] of added) this.#numbers.set(name, number);
  }

  /** Where a name is in the memory; undefined where it is nobody's but this thread's. */
  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  place(name: string): Place {
    const number = this.#numbers.get(name);
    if (number === undefined) return ownPlaces.place(name);
    const { words, buckets } = this.#memory;
    return {
      calls: new SharedOccupancy(words, this.#memory.callsWord(number)),
      bucket: new SharedBucket(buckets, this.#memory.bucketWord(number)),
    };
  }

  peer(name: string): PeerPlace {
    const number = this.#numbers.get(name);
    if (number === undefined) return ownPlaces.peer(name);
    const { words } = this.#memory;
    return {
      calls: new SharedOccupancy(words, this.#memory.callsWord(number)),
      suspicion: new SharedSuspicion(words, this.#memory.suspicionWord(number)),
    };
  }

  #forget(name: string): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    this.#numbers.delete(name);
    // Whoever waited for it is refused with the plan that follows.
    Atomics.store(this.#memory.words, this.#memory.sinceWord(number, this.#thread), 0);
  }
}
