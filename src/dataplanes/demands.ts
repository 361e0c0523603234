import type { FunctionKey } from '../domain/ids.ts';
import { functionLive } from '../routing/live.ts';
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
      const { inFlight, queued } = functionLive(this.#state.live, key);
      if (inFlight + queued > 0) this.#state.needs.onDemand({ key, inFlight: inFlight + queued });
    });
  }
}
