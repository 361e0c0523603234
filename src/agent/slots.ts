import { isWorthTelling } from '../capacity/announced.ts';
import {
  freshCapacity,
  isPressed,
  limitsOf,
  observeCapacity,
  type Capacity,
  type Limits,
} from '../capacity/capacity.ts';
import type { Bounds } from '../capacity/next-limit.ts';
import type { Observation } from '../dataplanes/data-plane.ts';
import type { FunctionKey } from '../domain/ids.ts';

export type SlotsNeeds = {
  /** How many calls run at once; where they are measured, to begin with. */
  readonly slots: number;
  /** What measured slots keep to; undefined = they are not measured. */
  readonly measured: Bounds | undefined;
};

/** How many calls run at once here: as configured, or as measured. */
export class Slots {
  readonly #bounds: Bounds | undefined;
  #capacity: Capacity | undefined;
  #limits: Limits;
  #announced: { readonly slots: number; readonly at: number };

  constructor({ slots, measured }: SlotsNeeds) {
    this.#bounds = measured;
    this.#capacity = measured && freshCapacity(slots, measured);
    this.#limits = this.#capacity ? limitsOf(this.#capacity) : { slots, steadySlots: slots, functions: new Map() };
    this.#announced = { slots: this.steady, at: -Infinity };
  }

  /** What the plan of the agent before this one says, to begin with. */
  adopt(slots: number): void {
    if (this.#bounds === undefined) return;
    this.#capacity = freshCapacity(slots, this.#bounds);
    this.#limits = limitsOf(this.#capacity);
  }

  /** True when something else holds from now on. */
  look(observation: Observation): boolean {
    if (this.#capacity === undefined || this.#bounds === undefined) return false;
    this.#capacity = observeCapacity(this.#capacity, observation, this.#bounds);
    const before = this.#limits;
    this.#limits = limitsOf(this.#capacity);
    return !same(before, this.#limits);
  }

  /** At this moment. */
  get inForce(): number {
    return this.#limits.slots;
  }

  /** What others are told: not the dips in which it is measured. */
  get steady(): number {
    return this.#limits.steadySlots;
  }

  /** Calls of the function that may run at once: the lesser of what its replicas take and what was measured; 0 = no bound. */
  limitOf(key: FunctionKey, ofReplicas: number): number {
    const measured = this.#limits.functions.get(key);
    if (measured === undefined) return ofReplicas;
    return ofReplicas > 0 ? Math.min(ofReplicas, measured) : measured;
  }

  /** Calls of the function are turned away, and those that run are slowed. */
  isPressed(key: FunctionKey): boolean {
    return this.#capacity !== undefined && isPressed(this.#capacity, key);
  }

  /** They are another than was announced, and the change is worth a message to everyone. */
  areNews(now: number): boolean {
    return isWorthTelling(this.#announced, this.steady, now);
  }

  announced(now: number): void {
    this.#announced = { slots: this.steady, at: now };
  }
}

const same = (one: Limits, other: Limits): boolean =>
  one.slots === other.slots &&
  one.steadySlots === other.steadySlots &&
  one.functions.size === other.functions.size &&
  [...one.functions].every(([key, limit]) => other.functions.get(key) === limit);
