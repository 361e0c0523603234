import type { FunctionKey } from '../../../domain/ids.ts';
import { functionOf, peerPlace, placesOf, runningPlace } from '../../../routing/places.ts';
import type { Plan } from '../../../routing/plan.ts';
import { checkPlaces, type SharedMemory } from './shared-memory.ts';

export type PlaceChanges = {
  readonly added: readonly (readonly [name: string, number: number])[];
  readonly removed: readonly string[];
};

type FunctionPlaces = { readonly shape: string; readonly names: readonly string[] };

/** Where the node's own place is, whatever the plan. */
export const nodeNumber = 0;

/**
 * Gives out the numbers of places, in the first thread. A name keeps its number as long as a plan knows it or calls are there; a number
 * is given to another name only once no thread can count by it any more: a plan without the old name is in force in all of them, and
 * nobody is there, nor at another place of a function that is gone, of which threads remember all while they have a call of it.
 */
export class PlaceDirectory {
  readonly #memory: SharedMemory;
  #functions: ReadonlyMap<FunctionKey, FunctionPlaces> = new Map();
  #peers: readonly string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Of names that the plan knows no more. */
  readonly #retired = new Map<string, number>();
  readonly #free: number[] = [];
  #next = nodeNumber + 1;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** What changes with `plan`; the plan before must be in force in all threads. `invalid` where it has more places than there are. */
  changesTo(plan: Plan): PlaceChanges {
    const wanted = new Set<string>();
    const removed = new Set<string>();
    const functions = new Map<FunctionKey, FunctionPlaces>();
    const peers = plan.peers.map(({ id }) => id).join(' ');
    const peerNames = plan.peers.map(({ id }) => peerPlace(id));
    for (const place of this.#peers) removed.add(place);
    for (const place of peerNames) if (!removed.delete(place)) wanted.add(place);
    for (const [name, planned] of Object.entries(plan.functions)) {
      const key = name as FunctionKey;
      // Plans come several times a second, and nearly all change weights.
      const shape = `${planned.replicas.map(({ id }) => id).join(' ')},${peers}`;
      const before = this.#functions.get(key);
      if (before?.shape === shape) {
        functions.set(key, before);
        continue;
      }
      const names = placesOf(key, planned, plan.peers);
      functions.set(key, { shape, names });
      for (const place of before?.names ?? []) removed.add(place);
      for (const place of names) if (!removed.delete(place)) wanted.add(place);
    }
    for (const [key, { names }] of this.#functions) {
      if (plan.functions[key] !== undefined) continue;
      for (const place of names) removed.add(place);
    }
    this.#reclaim(wanted);
    this.#checkRoom(wanted);
    this.#peers = peerNames;
    this.#functions = functions;
    const added = [...wanted].map((place) => [place, this.#numberFor(place)] as const);
    for (const place of removed) this.#retire(place);
    return { added, removed: [...removed] };
  }

  /** Before anything is changed: a plan that is refused must leave what is in force as it is. */
  #checkRoom(wanted: ReadonlySet<string>): void {
    let fresh = 0;
    for (const place of wanted) if (!this.#retired.has(place)) fresh += 1;
    checkPlaces(this.#next + Math.max(0, fresh - this.#free.length));
  }

  #numberFor(place: string): number {
    const number = this.#retired.get(place) ?? this.#free.pop() ?? this.#next++;
    this.#retired.delete(place);
    this.#numbers.set(place, number);
    return number;
  }

  #retire(place: string): void {
    this.#retired.set(place, this.#numbers.get(place) as number);
    this.#numbers.delete(place);
  }

  #reclaim(wanted: ReadonlySet<string>): void {
    const kept = new Set<FunctionKey>();
    for (const [place, number] of this.#retired) if (!this.#isEmpty(number)) kept.add(functionOf(place));
    for (const [place, number] of this.#retired) {
      const key = functionOf(place);
      const remembered = kept.has(key) && this.#retired.has(runningPlace(key));
      if (wanted.has(place) || remembered || !this.#isEmpty(number)) continue;
      this.#retired.delete(place);
      this.#memory.clear(number);
      this.#free.push(number);
    }
  }

  #isEmpty(number: number): boolean {
    return Atomics.load(this.#memory.words, this.#memory.callsWord(number)) === 0;
  }
}
