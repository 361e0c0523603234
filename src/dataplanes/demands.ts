import type { FunctionKey } from '../domain/ids.ts';
import type { PlaneState } from './plane-state.ts';

/** Tells the agent of functions that calls wait for. */
export class Demands {
  readonly #state: PlaneState;
  readonly #pending = new Set<FunctionKey>();

  constructor(state: PlaneState) {
    this.#state = state;
  }

  /** Calls that come in the same turn are told of once. */
  tell(key: FunctionKey): void {
    if (this.#pending.has(key)) return;
    this.#pending.add(key);
    setImmediate(() => {
      this.#pending.delete(key);
      const there = this.#state.live.functions.get(key);
      const inFlight = (there?.running.count ?? 0) + (there?.waiting.count ?? 0);
      if (inFlight > 0) this.#state.needs.onDemand({ key, inFlight });
    });
  }
}
