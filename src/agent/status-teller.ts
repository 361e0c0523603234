import type { NodeStatus } from '../membership/message.ts';
import type { Clock } from '../std/clock.ts';

export type StatusTellerNeeds = {
  readonly send: (status: NodeStatus) => void;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly members: () => number;
};

/** A change of load worth telling, as part of the slots. */
const worthTelling = 0.1;
const leastGapMs = 100;

/** Functions in one message; of more, so many by turns, and at most so many that changed. */
const functionsAtOnce = 500;

type Functions = NodeStatus['functions'];

/**
 * Tells peers how busy this node is: when its load changed by a tenth or its functions changed, and at least every
 * max(1 s, members × 10 ms), so that the traffic of all of them stays bounded. Of thousands of functions each message
 * tells the next few hundred in turn, and those that changed.
 */
export class StatusTeller {
  readonly #needs: StatusTellerNeeds;
  #told: NodeStatus | undefined;
  #at = Number.NEGATIVE_INFINITY;
  /** What was last told of each function. */
  #known: Functions = {};
  /** Where the next turn begins. */
  #next = '';
  /** Messages of the present round that were not sent yet, where somebody waits for all of it. */
  #urgent = 0;

  constructor(needs: StatusTellerNeeds) {
    this.#needs = needs;
  }

  look(status: NodeStatus): void {
    const now = this.#needs.clock.monotonic();
    const due = now - this.#at >= Math.max(1_000, this.#needs.members() * 10);
    const changed = now - this.#at >= leastGapMs && (this.#urgent > 0 || this.#differs(status));
    if (!due && !changed && this.#told !== undefined) return;
    if (this.#told === undefined) this.#urgent = Math.ceil(Object.keys(status.functions).length / functionsAtOnce);
    this.#told = status;
    this.#at = now;
    this.#urgent = Math.max(0, this.#urgent - 1);
    this.#needs.send(this.#part(status));
  }

  /** Somebody came: the next look is told whatever it shows, and all functions soon. */
  repeat(): void {
    this.#told = undefined;
  }

  #part(status: NodeStatus): NodeStatus {
    const keys = Object.keys(status.functions);
    if (keys.length <= functionsAtOnce) {
      this.#known = status.functions;
      this.#next = '';
      return status;
    }
    keys.sort();
    const begin = Math.max(
      0,
      keys.findIndex((key) => key >= this.#next),
    );
    const end = begin + functionsAtOnce;
    const range = { from: begin === 0 ? '' : keys[begin]!, ...(end < keys.length && { to: keys[end]! }) };
    const changed = keys.filter((key) => !same(this.#known[key], status.functions[key])).slice(0, functionsAtOnce);
    const functions = Object.fromEntries(
      [...keys.slice(begin, end), ...changed].map((key) => [key, status.functions[key]!]),
    );
    this.#known = { ...this.#known, ...functions };
    if (begin === 0) this.#forget(status.functions);
    this.#next = range.to ?? '';
    return { ...status, functions, range };
  }

  /** Those that live here no more. */
  #forget(present: Functions): void {
    this.#known = Object.fromEntries(Object.entries(this.#known).filter(([key]) => present[key] !== undefined));
  }

  #differs(status: NodeStatus): boolean {
    if (this.#told === undefined) return true;
    const before = this.#told;
    if (Math.abs(status.inFlight - before.inFlight) / Math.max(1, status.slots) >= worthTelling) return true;
    if (!sameList(before.failing ?? [], status.failing ?? [])) return true;
    const keys = Object.keys(status.functions);
    return (
      keys.length !== Object.keys(before.functions).length || keys.some((key) => before.functions[key] === undefined)
    );
  }
}

const sameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name, index) => name === other[index]);

const same = (before: Functions[string] | undefined, now: Functions[string] | undefined): boolean =>
  before?.inFlight === now?.inFlight && before?.limit === now?.limit && before?.replicas === now?.replicas;
