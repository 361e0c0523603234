import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionProvider } from '../providers/provider.ts';
import type { Clock } from '../std/clock.ts';
import { createProcessUsage, type ProcessUsage } from '../telemetry/process-usage.ts';
import type { Hosted } from './hosted.ts';

export type MeasuresNeeds = {
  readonly provider: Pick<FunctionProvider, 'pids'>;
  /** Asynchronous calls in the queue of this node, by function: those that wait and those that run. */
  readonly queued: () => Promise<ReadonlyMap<FunctionKey, number>>;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Makes what samples the processes of one function; default: of this machine. */
  readonly sampler?: () => (pids: readonly number[]) => Promise<ProcessUsage>;
};

/** How often a function's processes are read, milliseconds; oftener where they decide how many there are. */
const usageEveryMs = 5_000;
const decidingEveryMs = 1_000;
const queueEveryMs = 1_000;

type Sampled = {
  readonly sample: (pids: readonly number[]) => Promise<ProcessUsage>;
  pids: string;
  at: number;
  usage: ProcessUsage | undefined;
};

/** What a look at the data plane does not tell: what functions use, and how much of their work waits in the queue. */
export class Measures {
  readonly #needs: MeasuresNeeds;
  readonly #sampled = new Map<FunctionKey, Sampled>();
  #queued: ReadonlyMap<FunctionKey, number> = new Map();
  #queuedAt = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(needs: MeasuresNeeds) {
    this.#needs = needs;
  }

  /** Reads what is due, in the background; to be called often. A round that is under way is not joined by another. */
  look(hosted: ReadonlyMap<FunctionKey, Hosted>): Promise<void> {
    this.#looking ??= this.#read(hosted).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Over all replicas here; undefined where it is not measured, or not yet. */
  usage(key: FunctionKey): ProcessUsage | undefined {
    return this.#sampled.get(key)?.usage;
  }

  queued(key: FunctionKey): number {
    return this.#queued.get(key) ?? 0;
  }

  async #read(hosted: ReadonlyMap<FunctionKey, Hosted>): Promise<void> {
    for (const key of this.#sampled.keys()) if (!hosted.has(key)) this.#sampled.delete(key);
    for (const one of hosted.values()) await this.#readUsage(one);
    await this.#readQueue(hosted);
  }

  async #readUsage({ key, ref, spec, settings }: Hosted): Promise<void> {
    const { provider, clock, sampler } = this.#needs;
    if (provider.pids === undefined || spec === undefined) return;
    const pids = provider.pids(ref);
    const named = pids.join(' ');
    const known = this.#sampled.get(key);
    if (known === undefined && pids.length === 0) return;
    const now = clock.monotonic();
    const everyMs = settings.target?.type === 'cpu' ? decidingEveryMs : usageEveryMs;
    if (known !== undefined && known.pids === named && now - known.at < everyMs) return;
    const make = sampler ?? (() => createProcessUsage(clock));
    const sampled: Sampled = known ?? { sample: make(), pids: named, at: now, usage: undefined };
    this.#sampled.set(key, sampled);
    sampled.pids = named;
    sampled.at = now;
    sampled.usage = await sampled.sample(pids);
  }

  /** Only where a function goes by it. */
  async #readQueue(hosted: ReadonlyMap<FunctionKey, Hosted>): Promise<void> {
    const { queued, clock } = this.#needs;
    const now = clock.monotonic();
    if (now - this.#queuedAt < queueEveryMs) return;
    if (![...hosted.values()].some(({ settings }) => settings.target?.type === 'queue')) return;
    this.#queuedAt = now;
    this.#queued = await queued();
  }
}
