import type { FunctionKey } from '../domain/ids.ts';
import type { Hosted } from './hosted.ts';
import type { Measures } from './measures.ts';
import type { Rates } from './rates.ts';
import { defaultPerReplica, type FunctionLoad } from './scaler.ts';
import type { Slots } from './slots.ts';

export type FunctionLoadsNeeds = {
  readonly hosted: () => ReadonlyMap<FunctionKey, Hosted>;
  readonly rates: Pick<Rates, 'latest' | 'of'>;
  readonly slots: Pick<Slots, 'isPressed'>;
  readonly measures: Pick<Measures, 'usage' | 'queued'>;
  readonly cores: number;
};

/** What each function has to do at this node, as scaling goes by it. */
export class FunctionLoads {
  readonly #needs: FunctionLoadsNeeds;

  constructor(needs: FunctionLoadsNeeds) {
    this.#needs = needs;
  }

  of(key: FunctionKey): FunctionLoad {
    const { rates, slots, measures } = this.#needs;
    const observed = rates.latest?.functions[key];
    const present = (observed?.inFlight ?? 0) + (observed?.queued ?? 0);
    const inFlight = slots.isPressed(key) ? Math.max(present, this.#pressure(key)) : present;
    const cpu = measures.usage(key)?.cpu;
    return { inFlight, perSecond: rates.of(key).served, cpu, queued: measures.queued(key) };
  }

  /**
   * Measured slots are few where calls slow each other down, which is so, too, where a function's replicas are fewer than the
   * cores: what it is held back from counts as load for as many replicas as there are cores.
   */
  #pressure(key: FunctionKey): number {
    const settings = this.#needs.hosted().get(key)?.settings;
    const isOwnMeasure = settings?.target !== undefined || (settings?.perReplica ?? 0) > 0;
    return isOwnMeasure ? 0 : defaultPerReplica * this.#needs.cores;
  }
}
