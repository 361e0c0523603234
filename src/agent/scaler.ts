import { freshScale, scaleReplicas, type ScaleState } from '../autoscaler/replicas.ts';
import { messageOf } from '../domain/errors.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionProvider } from '../providers/provider.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Hosted } from './hosted.ts';
import type { FunctionSettings } from './labels.ts';
import { maxReplicasOf } from './compose-plan.ts';

export type ScalerNeeds = {
  readonly provider: FunctionProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxReplicas: number;
  readonly idleMs: number;
};

/** Calls at once that a replica without a bound of its own should have: a Node process is one core's, and a core has four slots. */
const defaultPerReplica = 4;

/** After a failure the next try waits half a second, then twice as long each time. */
const longestRetryMs = 30_000;

/** What a function has to do at this node. */
export type FunctionLoad = {
  /** Calls that run or wait. */
  readonly inFlight: number;
  /** Calls served a second. */
  readonly perSecond: number;
};

/** A call that waits needs a replica, however few calls there are a second. */
const measureOf = (settings: FunctionSettings, { inFlight, perSecond }: FunctionLoad) => {
  const { perReplica, target } = settings;
  if (target?.type === 'rps') {
    const least = inFlight > 0 ? Math.min(1, target.perReplica) : 0;
    return { inFlight: Math.max(perSecond, least), perReplica: target.perReplica, strict: true };
  }
  if (target !== undefined) return { inFlight, perReplica: target.perReplica, strict: true };
  return { inFlight, perReplica: perReplica > 0 ? perReplica : defaultPerReplica, strict: perReplica > 0 };
};

type Entry = {
  state: ScaleState;
  wanted: number;
  /** Set by hand; what load asks for comes on top. */
  floor: number;
  revision: string;
  running: boolean;
  /** After a failure, not before this time (monotonic milliseconds). */
  retryAt: number;
  failures: number;
};

/** Keeps each function's replicas as many as its load needs. */
export class Scaler {
  readonly #needs: ScalerNeeds;
  readonly #entries = new Map<FunctionKey, Entry>();

  constructor(needs: ScalerNeeds) {
    this.#needs = needs;
  }

  /** Calls wait and no replica is free, or time has passed: look at the function anew. */
  look(hosted: Hosted, load: FunctionLoad): void {
    if (hosted.spec === undefined || !hosted.ready) return;
    const entry = this.#entry(hosted);
    const { settings } = hosted;
    const max = maxReplicasOf(hosted, this.#needs.maxReplicas);
    const { state, wanted } = scaleReplicas(entry.state, entry.wanted, {
      now: this.#needs.clock.monotonic(),
      ...measureOf(settings, load),
      min: Math.min(max, Math.max(settings.min, entry.floor)),
      max,
      idleMs: settings.idleMs ?? this.#needs.idleMs,
    });
    entry.state = state;
    entry.wanted = wanted;
    this.#follow(hosted, entry);
  }

  /** What an earlier agent left running counts as needed until time shows that it is not. */
  adopt(hosted: Hosted, replicas: number): void {
    const entry = this.#entry(hosted);
    if (replicas === 0) return;
    entry.wanted = replicas;
    entry.state = freshScale(replicas, this.#needs.clock.monotonic());
  }

  /** By hand: so many now, and not fewer until told otherwise. */
  async set(hosted: Hosted, replicas: number): Promise<void> {
    const entry = this.#entry(hosted);
    const count = Math.min(replicas, this.#needs.maxReplicas);
    entry.floor = count;
    entry.wanted = count;
    entry.state = freshScale(0, this.#needs.clock.monotonic());
    await this.#needs.provider.scale(hosted.ref, count);
  }

  forget(keys: ReadonlyMap<FunctionKey, unknown>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
  }

  #entry(hosted: Hosted): Entry {
    const revision = hosted.spec?.revision ?? '';
    const known = this.#entries.get(hosted.key);
    if (known !== undefined) {
      known.revision = revision;
      return known;
    }
    const { first } = hosted.settings;
    const state = freshScale(first, this.#needs.clock.monotonic());
    const entry: Entry = { state, wanted: 0, floor: 0, revision, running: false, retryAt: 0, failures: 0 };
    this.#entries.set(hosted.key, entry);
    return entry;
  }

  /** One call to the provider at a time for each function, always with the newest wish. */
  #follow(hosted: Hosted, entry: Entry): void {
    if (entry.running || this.#needs.clock.monotonic() < entry.retryAt) return;
    entry.running = true;
    void (async () => {
      let done = -1;
      while (done !== entry.wanted) {
        done = entry.wanted;
        const present = (await this.#needs.provider.list()).find(
          ({ spec }) => spec.ref.name === hosted.ref.name && spec.ref.namespace === hosted.ref.namespace,
        );
        if (present === undefined || present.replicas === done) continue;
        await this.#needs.provider.scale(hosted.ref, done);
      }
      entry.failures = 0;
    })()
      .catch((error: unknown) => {
        hosted.problem = messageOf(error);
        entry.failures += 1;
        const retryMs = Math.min(longestRetryMs, 250 * 2 ** Math.min(entry.failures, 10));
        entry.retryAt = this.#needs.clock.monotonic() + retryMs;
        this.#needs.log.warn({ function: hosted.key, problem: messageOf(error) }, 'replicas could not be scaled');
      })
      .finally(() => {
        entry.running = false;
      });
  }
}
