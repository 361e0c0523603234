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

/**
 * Tells peers how busy this node is: when its load changed by a tenth or its functions changed, and at least every
 * max(1 s, members × 10 ms), so that the traffic of all of them stays bounded.
 */
export class StatusTeller {
  readonly #needs: StatusTellerNeeds;
  #told: NodeStatus | undefined;
  #at = Number.NEGATIVE_INFINITY;

  constructor(needs: StatusTellerNeeds) {
    this.#needs = needs;
  }

  look(status: NodeStatus): void {
    const now = this.#needs.clock.monotonic();
    const due = now - this.#at >= Math.max(1_000, this.#needs.members() * 10);
    const changed = now - this.#at >= leastGapMs && this.#differs(status);
    if (!due && !changed && this.#told !== undefined) return;
    this.#told = status;
    this.#at = now;
    this.#needs.send(status);
  }

  /** Somebody came: the next look is told whatever it shows. */
  repeat(): void {
    this.#told = undefined;
  }

  #differs(status: NodeStatus): boolean {
    if (this.#told === undefined) return true;
    const before = this.#told;
    if (Math.abs(status.inFlight - before.inFlight) / Math.max(1, status.slots) >= worthTelling) return true;
    const keys = Object.keys(status.functions);
    return (
      keys.length !== Object.keys(before.functions).length || keys.some((key) => before.functions[key] === undefined)
    );
  }
}
