import { freshScale, scaleReplicas, type ScaleState } from '../autoscaler/replicas.ts';
import { messageOf } from '../domain/errors.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { NodeFunction, ScaleWish } from '../gateway/needs.ts';
import type { FunctionProvider, FunctionSpec } from '../providers/provider.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { measureOf, type FunctionLoad } from './function-loads.ts';
import type { Hosted } from './hosted.ts';
import type { AtRest, KeptScale } from './kept-scale.ts';
import { maxReplicasOf } from './compose-plan.ts';
import { startMark, startsAlike } from './starts-alike.ts';

export type ScalerNeeds = {
  readonly provider: FunctionProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** What earlier agents of this node knew. */
  readonly kept: Pick<KeptScale, 'get' | 'set' | 'rests' | 'rest' | 'retain' | 'written'>;
  readonly maxReplicas: number;
  readonly idleMs: number;
};

type Bounds = NonNullable<NodeFunction['bounds']>;

/** After a failure the next try waits half a second, then twice as long each time. */
const longestRetryMs = 30_000;

type Entry = {
  state: ScaleState;
  wanted: number;
  /** Set by hand; what load asks for comes on top. */
  floor: number;
  /** The next agent is told that it is at zero. */
  rests: boolean;
  /** What the provider took last. */
  spec: FunctionSpec | undefined;
  /** Calls to the provider that are under way, and the number that the last of them asked for. */
  running: number;
  asked: number;
  /** After a failure, not before this time (monotonic milliseconds). */
  retryAt: number;
  failures: number;
  /** Why the last of them failed, for people; until the provider has what is wanted. */
  problem: string | undefined;
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
    // What comes back to this node begins anew.
    if (hosted.spec === undefined && this.#entries.delete(hosted.key)) this.#keepRest(hosted.key, undefined);
    if (hosted.spec === undefined || !hosted.ready) return;
    const entry = this.#entry(hosted);
    const { settings } = hosted;
    const max = maxReplicasOf(hosted, this.#needs.maxReplicas);
    const { state, wanted } = scaleReplicas(entry.state, entry.wanted, {
      now: this.#needs.clock.monotonic(),
      calls: load.inFlight,
      called: load.perSecond > 0,
      ...measureOf(settings, load),
      ready: this.#needs.provider.resolve(hosted.ref).length,
      min: Math.min(max, Math.max(settings.min, entry.floor)),
      max,
      zero: settings.zero && entry.floor === 0,
      idleMs: settings.idleMs ?? this.#needs.idleMs,
    });
    entry.state = state;
    this.#want(hosted, entry, wanted);
    this.#follow(hosted, entry);
  }

  /** The provider has taken what is deployed: where it differs from what ran, it begins as a first deployment does. */
  begin(hosted: Hosted): void {
    const entry = this.#entry(hosted);
    const isNew = this.#isNew(hosted);
    entry.spec = hosted.spec;
    if (!isNew) return;
    // What an earlier one failed of says nothing of this one.
    Object.assign(entry, { retryAt: 0, failures: 0 });
    const first = this.#first(hosted, entry.floor);
    if (entry.wanted >= first) return;
    this.#want(hosted, entry, first);
    entry.state = freshScale(first, this.#needs.clock.monotonic());
  }

  /** Whether replicas are to be there, started yet or not. */
  wants(hosted: Hosted): boolean {
    const entry = this.#entries.get(hosted.key);
    if (entry === undefined) return this.#found(hosted, this.#floor(hosted)) > 0;
    if (this.#isNew(hosted)) return this.#first(hosted, entry.floor) > 0;
    return entry.wanted > 0;
  }

  /** What an earlier agent left running counts as needed until time shows that it is not. */
  adopt(hosted: Hosted, replicas: number): void {
    const entry = this.#entry(hosted);
    if (replicas === 0) return;
    this.#want(hosted, entry, replicas);
    entry.state = freshScale(replicas, this.#needs.clock.monotonic());
  }

  /** How many may be set by hand, and how many the function begins with. */
  bounds(hosted: Hosted): Bounds {
    const { settings } = hosted;
    const most = maxReplicasOf(hosted, this.#needs.maxReplicas);
    return { least: Math.min(most, settings.zero ? 0 : settings.min), most, usual: Math.max(1, settings.first) };
  }

  /**
   * By hand: so many now, within the bounds. Those that are held are not fewer until told otherwise, also for the next agent; the
   * load may add some. Else it is left to the load again.
   */
  async set(hosted: Hosted, { replicas, held }: ScaleWish): Promise<void> {
    const { key, value } = hosted;
    const entry = this.#entry(hosted);
    const { least, most } = this.bounds(hosted);
    const count = Math.min(most, Math.max(least, replicas));
    entry.floor = held ? count : 0;
    this.#want(hosted, entry, count);
    entry.state = freshScale(count, this.#needs.clock.monotonic());
    await this.#needs.kept.set(key, { replicas: entry.floor, createdAt: value.createdAt });
    await this.#needs.kept.written();
    await this.#needs.provider.scale(hosted.ref, count);
  }

  /** Why there are not as many replicas as are wanted, where that is so. */
  problem(key: FunctionKey): string | undefined {
    return this.#entries.get(key)?.problem;
  }

  /** Only the functions named are still there. */
  forget(keys: ReadonlyMap<FunctionKey, unknown>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
    this.#needs.kept.retain(keys).catch((error: unknown) => {
      this.#needs.log.warn({ problem: messageOf(error) }, 'what was scaled by hand could not be written');
    });
  }

  #entry(hosted: Hosted): Entry {
    const known = this.#entries.get(hosted.key);
    if (known !== undefined) return known;
    const floor = this.#floor(hosted);
    const wanted = this.#found(hosted, floor);
    const state = freshScale(wanted, this.#needs.clock.monotonic());
    const entry: Entry = {
      state,
      wanted,
      floor,
      rests: wanted === 0,
      spec: hosted.spec,
      running: 0,
      asked: 0,
      retryAt: 0,
      failures: 0,
      problem: undefined,
    };
    this.#entries.set(hosted.key, entry);
    return entry;
  }

  #isNew({ key, spec }: Hosted): boolean {
    const began = this.#entries.get(key)?.spec;
    return began === undefined || spec === undefined || !startsAlike(began, spec);
  }

  #floor({ key, value }: Hosted): number {
    return this.#needs.kept.get(key, value.createdAt);
  }

  /** How many of it are wanted when this agent first sees it: one that an earlier agent let go to zero is no new one. */
  #found(hosted: Hosted, floor: number): number {
    const rest = restOf(hosted, hosted.spec);
    const rests = floor === 0 && rest !== undefined && this.#needs.kept.rests(hosted.key, rest);
    return rests ? 0 : this.#first(hosted, floor);
  }

  #want(hosted: Hosted, entry: Entry, wanted: number): void {
    entry.wanted = wanted;
    if (entry.rests === (wanted === 0)) return;
    entry.rests = wanted === 0;
    this.#keepRest(hosted.key, entry.rests ? restOf(hosted, entry.spec) : undefined);
  }

  #keepRest(key: FunctionKey, rest: AtRest | undefined): void {
    this.#needs.kept.rest(key, rest).catch((error: unknown) => {
      this.#needs.log.warn({ function: key, problem: messageOf(error) }, 'what is at zero could not be written');
    });
  }

  #first(hosted: Hosted, floor: number): number {
    return Math.min(maxReplicasOf(hosted, this.#needs.maxReplicas), Math.max(hosted.settings.first, floor));
  }

  /** One call to the provider at a time for each function, always with the newest wish; for more replicas none waits. */
  #follow(hosted: Hosted, entry: Entry): void {
    if (entry.running > 0 && entry.wanted <= entry.asked) return;
    if (this.#needs.clock.monotonic() < entry.retryAt) return;
    entry.running += 1;
    entry.asked = entry.wanted;
    void (async () => {
      let done = -1;
      while (done !== entry.wanted) {
        done = entry.wanted;
        entry.asked = done;
        const present = (await this.#needs.provider.list()).find(
          ({ spec }) => spec.ref.name === hosted.ref.name && spec.ref.namespace === hosted.ref.namespace,
        );
        if (present === undefined) continue;
        if (present.replicas !== done) await this.#needs.provider.scale(hosted.ref, done);
        else if (present.available < done) continue;
        entry.problem = undefined;
      }
      entry.failures = 0;
    })()
      .catch((error: unknown) => {
        entry.problem = messageOf(error);
        entry.failures += 1;
        const retryMs = Math.min(longestRetryMs, 250 * 2 ** Math.min(entry.failures, 10));
        entry.retryAt = this.#needs.clock.monotonic() + retryMs;
        this.#needs.log.warn({ function: hosted.key, problem: messageOf(error) }, 'replicas could not be scaled');
      })
      .finally(() => {
        entry.running -= 1;
      });
  }
}

const restOf = ({ value }: Hosted, spec: FunctionSpec | undefined): AtRest | undefined =>
  spec && { createdAt: value.createdAt, start: startMark(spec) };
