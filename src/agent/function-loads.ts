import type { ScaleFacts } from '../autoscaler/replicas.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { Hosted } from './hosted.ts';
import type { FunctionSettings } from './labels.ts';
import type { Measures } from './measures.ts';
import type { Rates } from './rates.ts';
import type { Slots } from './slots.ts';

/** Calls at once that a replica without a bound of its own should have: a Node process is one core's, and a core has four slots. */
const defaultPerReplica = 4;

/** What a function has to do at this node. */
export type FunctionLoad = {
  /** Calls that run or wait. */
  readonly inFlight: number;
  /** Calls served a second. */
  readonly perSecond: number;
  /** What its replicas use, in thousandths of a core; undefined where it is not measured. */
  readonly cpu?: number | undefined;
  /** Calls of it that the asynchronous queue holds. */
  readonly queued?: number;
};

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

type Measure = Pick<ScaleFacts, 'load' | 'target' | 'bound' | 'burst' | 'gradual'>;

/** What the rule of scaling goes by: what the labels say, else calls at once. */
export const measureOf = ({ perReplica: bound, target }: FunctionSettings, load: FunctionLoad): Measure => {
  if (target === undefined) {
    return { load: load.inFlight, target: bound || defaultPerReplica, bound, burst: bound, gradual: bound === 0 };
  }
  const measured = { target: target.perReplica, bound, burst: bound, gradual: false };
  switch (target.type) {
    case 'capacity':
      return { ...measured, load: load.inFlight, burst: Math.min(bound || Infinity, target.perReplica) };
    case 'rps':
      return { ...measured, load: load.perSecond };
    case 'cpu':
      return { ...measured, load: load.cpu ?? 0 };
    case 'queue':
      return { ...measured, load: load.queued ?? 0 };
  }
};
