import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';

/** What became of the calls of one function, since this process started. */
export type FunctionCounts = {
  entered: number;
  served: number;
  ran: number;
  ranMs: number;
  foundFull: number;
  foundLimit: number;
  readonly received: Record<NodeId, number>;
  readonly forwarded: Record<NodeId, number>;
  readonly rejected: Partial<Record<Reason, number>>;
};

const none = { entered: 0, served: 0, ran: 0, ranMs: 0, foundFull: 0, foundLimit: 0 };

/** The counters of an `Observation`: of functions that the plan knows, or that still run. */
export class Counts {
  readonly #byKey = new Map<FunctionKey, FunctionCounts>();

  /** `known`: whether the plan knows it. What no plan knows is not remembered: callers must not be able to fill this. */
  of(key: FunctionKey, known: boolean): FunctionCounts {
    let counts = this.#byKey.get(key);
    if (counts === undefined) {
      counts = { ...none, received: {}, forwarded: {}, rejected: {} };
      if (known) this.#byKey.set(key, counts);
    }
    return counts;
  }

  retain(keep: (key: FunctionKey) => boolean): void {
    for (const key of this.#byKey.keys()) if (!keep(key)) this.#byKey.delete(key);
  }

  entries(): Iterable<[FunctionKey, FunctionCounts]> {
    return this.#byKey.entries();
  }
}
