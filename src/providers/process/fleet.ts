import { stat } from 'node:fs/promises';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { OpenBundle } from '../../bundles/bundle-store.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { FunctionSpec, ProvidedFunction } from '../provider.ts';
import { BackOff, healthyAfterMs } from './back-off.ts';
import { drain } from './drain.ts';
import { maxInFlightOf } from './environment.ts';
import { clear, launch } from './launch.ts';
import type { LaunchNeeds, Replica } from './replica.ts';
import { boundLog } from './log-cut.ts';
import { markTimes } from './log-times.ts';
import { probe } from './ready.ts';
import { addLine, lastLines, logFile, pruneLogs } from './replica-logs.ts';
import { accepts, pause } from './wait.ts';

export type FleetNeeds = LaunchNeeds & {
  readonly log: Log;
  readonly drainDelayMs: number;
  /** Resolves when the replicas that left the list by now get no more calls. */
  readonly withdrawn: () => Promise<void>;
  /** The replicas of the function, at all its revisions, that have not ended: their logs are not among those of the past. */
  readonly live: () => ReadonlySet<string>;
  readonly onColdStart: (ms: number) => void;
  /** The ready replicas changed. */
  readonly onChange: () => void;
};

/** Callers wait for a retry that is this near; with one further away they are told at once. */
const worthWaitingMs = 2000;
/** A replica that refuses connections this often in a row is replaced. */
const refusals = 2;

/** How a replica did when it was last asked. */
type Checked = {
  /** Connections that it refused in a row. */
  readonly refused: number;
  /** Since when it has not been well; undefined while it is. */
  readonly unwellSinceMs: number | undefined;
  /** By its own word, it should get no calls now. */
  readonly resting: boolean;
};

const well: Checked = { refused: 0, unwellSinceMs: undefined, resting: false };

type Waiter = { readonly replicas: number; readonly resolve: () => void; readonly reject: (error: unknown) => void };
type Failure = { readonly text: string; readonly atMs: number };

/** The replicas of one revision of a function: keeps as many ready as are wanted. */
export class Fleet {
  readonly spec: FunctionSpec;
  readonly #needs: FleetNeeds;
  readonly #open: () => Promise<OpenBundle>;
  readonly #timeoutMs: number;
  readonly #ready = new Map<string, Replica>();
  readonly #draining = new Map<string, { readonly replica: Replica; readonly done: Promise<void> }>();
  readonly #starting = new Set<Promise<void>>();
  /** Those of them that have a process. */
  readonly #launching = new Set<string>();
  readonly #checked = new Map<string, Checked>();
  /** Logs without times of their own, with their last known length. */
  readonly #untimed = new Map<string, number>();
  readonly #backOff: BackOff;
  readonly #abandoned = new AbortController();
  #waiting: Waiter[] = [];
  #wanted = 0;
  #closed = false;
  #failure: Failure | undefined;
  /** Starts failed for so long, or will be tried so late, that nobody should wait for them. */
  #hopeless = false;
  #plans: readonly ReplicaPlan[] = [];

  constructor(needs: FleetNeeds, spec: FunctionSpec, open: () => Promise<OpenBundle>, timeoutMs: number) {
    this.#needs = needs;
    this.spec = spec;
    this.#open = open;
    this.#timeoutMs = timeoutMs;
    this.#backOff = new BackOff(needs.clock);
  }

  get wanted(): number {
    return this.#wanted;
  }

  get failing(): boolean {
    return this.#hopeless && this.#wanted > 0 && this.#ready.size === 0;
  }

  status(): ProvidedFunction {
    const problem = this.#problem();
    return {
      spec: this.spec,
      replicas: this.#wanted,
      available: this.#plans.length,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  plans(): readonly ReplicaPlan[] {
    return this.#plans;
  }

  replicas(): readonly Replica[] {
    return [...this.#ready.values()];
  }

  /** Resolves when that many are ready, or another number is wanted. `unavailable`: a start failed; it is tried again. */
  async scale(replicas: number): Promise<void> {
    // Nothing is started here any more: whoever waited would wait for ever.
    if (this.#closed) throw this.#removed();
    const failed = this.failing;
    // After a rest the next try is worth waiting for again.
    if (this.#wanted === 0 && this.#backOff.leftMs <= worthWaitingMs) this.#hopeless = false;
    this.#wanted = replicas;
    this.#trim();
    if (this.failing !== failed) this.#needs.onChange();
    this.#settle();
    if (this.#ready.size >= replicas) return;
    if (this.#backOff.leftMs > worthWaitingMs) throw this.#unavailable();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ replicas, resolve, reject });
    this.#fill();
    await promise;
  }

  /** Takes in a replica that runs already. */
  adopt(replica: Replica): void {
    this.#wanted++;
    this.#admit(replica);
  }

  /**
   * Drains every replica and starts none again. Resolves when all ended. Asked again it holds the drains that are under way to the
   * new times.
   */
  async close(delayMs: number, timeoutMs = this.#timeoutMs): Promise<void> {
    this.#closed = true;
    this.#wanted = 0;
    this.#backOff.stop();
    this.#abandoned.abort();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#removed());
    for (const replica of this.#ready.values()) this.#retire(replica, delayMs, timeoutMs);
    const late = this.#needs.clock.after(delayMs + timeoutMs, () => this.#hurry());
    await Promise.all(this.#starting);
    await Promise.all([...this.#draining.values()].map(({ done }) => done));
    late();
  }

  #hurry(): void {
    for (const { replica } of this.#draining.values()) void replica.process.end(this.#needs.clock);
  }

  /** Lets go of the processes: they serve on, unwatched. */
  release(): void {
    this.#closed = true;
    this.#backOff.stop();
    for (const replica of this.#ready.values()) replica.process.release();
    this.#ready.clear();
  }

  /**
   * Replaces replicas that no longer accept connections, or were not well for as long as one invocation may take. One that says
   * it is not well gets no calls until it is; one that does not answer may be busy with a call.
   */
  async checkHealth(): Promise<void> {
    await Promise.all(this.replicas().map((replica) => this.#check(replica)));
  }

  async #check(replica: Replica): Promise<void> {
    const { clock, log } = this.#needs;
    const before = this.#checked.get(replica.id) ?? well;
    const now = await examine(replica, before, clock);
    if (!this.#ready.has(replica.id)) return;
    this.#checked.set(replica.id, now);
    if (now.resting !== before.resting) this.#changed();
    const about = { replica: replica.id, function: this.spec.ref.name };
    const why = this.#whyReplaced(now);
    if (why === undefined) return;
    log.warn(about, `a replica ${why}`);
    await this.#tell(replica, `the replica ${why}; it is ended, and another started`);
    await replica.process.end(clock);
  }

  #whyReplaced({ refused, unwellSinceMs }: Checked): string | undefined {
    if (refused >= refusals) return 'stopped accepting connections';
    if (unwellSinceMs === undefined || this.#needs.clock.monotonic() - unwellSinceMs <= this.#timeoutMs)
      return undefined;
    return 'was not well for longer than a call may take';
  }

  /** In its log, for those who read that. */
  async #tell({ id, mode }: Replica, text: string): Promise<void> {
    await addLine(logFile(this.#needs.folders.logs(this.spec.ref), id), mode, text, this.#needs.clock.now());
  }

  async boundLogs(): Promise<void> {
    const folder = this.#needs.folders.logs(this.spec.ref);
    for (const id of this.ids()) await boundLog(logFile(folder, id), this.#needs.clock.now());
  }

  /** Notes when logs grew whose lines do not say. */
  async markLogs(): Promise<void> {
    const folder = this.#needs.folders.logs(this.spec.ref);
    for (const [id, before] of this.#untimed) {
      const path = logFile(folder, id);
      const { size } = await stat(path).catch(() => ({ size: before }));
      if (size === before || !this.#untimed.has(id)) continue;
      this.#untimed.set(id, size);
      await markTimes(path, size, this.#needs.clock.now());
    }
  }

  /** Of the replicas that start, are ready or drain. */
  ids(): readonly string[] {
    return [...this.#launching, ...this.#ready.keys(), ...this.#draining.keys()];
  }

  #fill(): void {
    if (this.#closed || this.#backOff.waiting) return;
    while (this.#ready.size + this.#starting.size < this.#wanted) {
      const starting = this.#start().then(() => {
        this.#starting.delete(starting);
        this.#fill();
      });
      this.#starting.add(starting);
    }
  }

  async #start(): Promise<void> {
    const began = this.#needs.clock.monotonic();
    let id: string | undefined;
    const begun = (given: string): void => void this.#launching.add((id = given));
    try {
      const replica = await launch(this.#needs, this.spec, await this.#open(), this.#abandoned.signal, begun);
      this.#needs.onColdStart(replica.readyAtMs - began);
      this.#admit(replica);
    } catch (error) {
      this.#failed(messageOf(error), 0, true);
      if (this.#needs.clock.monotonic() - began > worthWaitingMs) this.#despair();
    }
    if (id === undefined) return;
    this.#launching.delete(id);
    if (!this.#ready.has(id)) await this.#pruneLogs();
  }

  /** So that what starts again and again leaves no more than a few logs. */
  async #pruneLogs(): Promise<void> {
    await pruneLogs(this.#needs.folders.logs(this.spec.ref), this.#needs.live()).catch((error: unknown) =>
      this.#needs.log.error({ function: this.spec.ref.name, error: messageOf(error) }, 'old logs could not be removed'),
    );
  }

  #admit(replica: Replica): void {
    this.#ready.set(replica.id, replica);
    this.#hopeless = false;
    if (replica.mode === 'http') this.#untimed.set(replica.id, 0);
    void replica.process.exited.then((how) => this.#ended(replica, how));
    if (this.#closed || this.#ready.size > this.#wanted) {
      this.#retire(replica, 0);
      return;
    }
    this.#changed();
    this.#settle();
  }

  /** The youngest go first: the others are warm. */
  #trim(): void {
    const spare = this.replicas().slice(this.#wanted);
    for (const replica of spare) this.#retire(replica, this.#needs.drainDelayMs);
  }

  #retire(replica: Replica, delayMs: number, timeoutMs = this.#timeoutMs): void {
    this.#ready.delete(replica.id);
    this.#checked.delete(replica.id);
    this.#changed();
    const { clock } = this.#needs;
    const withdrawn = delayMs > 0 ? Promise.all([pause(clock, delayMs), this.#needs.withdrawn()]) : Promise.resolve();
    // One that ended meanwhile has nothing to wait for.
    const done = drain(clock, replica, Promise.race([withdrawn, replica.process.exited]), timeoutMs)
      .then(() => this.#bury(replica))
      .finally(() => this.#draining.delete(replica.id));
    this.#draining.set(replica.id, { replica, done });
  }

  async #ended(replica: Replica, how: string): Promise<void> {
    if (!this.#ready.delete(replica.id)) return;
    this.#checked.delete(replica.id);
    this.#changed();
    const said = await lastLines(logFile(this.#needs.folders.logs(this.spec.ref), replica.id));
    const ranMs = this.#needs.clock.monotonic() - replica.readyAtMs;
    this.#failed(`a replica ${how}${said === '' ? '' : `; its last lines: ${said}`}`, ranMs);
    await this.#bury(replica);
  }

  async #bury(replica: Replica): Promise<void> {
    try {
      if (!replica.process.signalled) await this.#tell(replica, `the replica ${await replica.process.exited}`);
      await this.markLogs();
      this.#untimed.delete(replica.id);
      await clear(this.#needs, replica.id);
      await this.#pruneLogs();
    } catch (error) {
      this.#needs.log.error(
        { replica: replica.id, error: messageOf(error) },
        'the rest of a replica could not be removed',
      );
    }
  }

  #failed(text: string, ranMs: number, neverRan = false): void {
    if (this.#closed) return;
    this.#failure = { text, atMs: this.#needs.clock.monotonic() };
    this.#needs.log.warn(
      { function: this.spec.ref.name, namespace: this.spec.ref.namespace, problem: text },
      'a replica failed',
    );
    this.#backOff.failed(ranMs, () => this.#fill());
    if (this.#backOff.leftMs > worthWaitingMs) this.#despair();
    // One that ran before is worth another try on behalf of those who wait.
    if (neverRan || this.#backOff.leftMs > worthWaitingMs)
      for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#unavailable());
  }

  #despair(): void {
    if (this.#hopeless) return;
    this.#hopeless = true;
    if (this.failing) this.#needs.onChange();
  }

  /** The last failure, until everything wanted has been well for a while. */
  #problem(): string | undefined {
    if (this.#failure === undefined) return undefined;
    const past = this.#needs.clock.monotonic() - this.#failure.atMs > healthyAfterMs;
    return past && this.#ready.size >= this.#wanted ? undefined : this.#failure.text;
  }

  #removed(): SkeinError {
    return new SkeinError('unavailable', `${this.spec.ref.name} is being removed`);
  }

  #unavailable(): SkeinError {
    return new SkeinError(
      'unavailable',
      `${this.spec.ref.name} does not start: ${this.#failure?.text ?? 'unknown reason'}`,
    );
  }

  /** Answers those whose number is reached, or no longer wanted. */
  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((waiter) => this.#ready.size < waiter.replicas && waiter.replicas <= this.#wanted);
    for (const waiter of waiting) if (!this.#waiting.includes(waiter)) waiter.resolve();
  }

  #changed(): void {
    const maxInFlight = maxInFlightOf(this.spec);
    const serving = this.replicas().filter(({ id }) => this.#checked.get(id)?.resting !== true);
    this.#plans = serving.map(({ id, address }) => ({
      id,
      address,
      version: this.spec.revision,
      weight: 1,
      maxInFlight,
    }));
    this.#needs.onChange();
  }
}

const examine = async (replica: Replica, before: Checked, clock: Clock): Promise<Checked> => {
  const { address, readyPath } = replica;
  const health =
    readyPath === undefined ? ((await accepts(address)) ? 'well' : 'gone') : await probe(address, readyPath);
  if (health === 'well') return well;
  return {
    refused: health === 'gone' ? before.refused + 1 : 0,
    unwellSinceMs: before.unwellSinceMs ?? clock.monotonic(),
    resting: health === 'unwell',
  };
};
