import { isAbsolute } from 'node:path';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import { functionKey, type FunctionKey } from '../../domain/ids.ts';
import type { BundleStore } from '../../bundles/bundle-store.ts';
import type { FunctionRef } from '../../domain/function.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { FunctionProvider, FunctionSpec, LogOptions, ProvidedFunction, ReplicaLine } from '../provider.ts';
import { checkRunnable, openBundle } from './check-runnable.ts';
import { Fleet } from './fleet.ts';
import { Folders } from './folders.ts';
import type { Replica, SecretReader } from './replica.ts';
import { Ledger } from './ledger.ts';
import { readLogs } from './read-logs.ts';
import { logFile } from './replica-logs.ts';
import { prepareRuntime, type Runtime } from './runtime.ts';
import { survivors } from './survivors.ts';
import { WorkerPool } from './worker-pool.ts';

export type ProcessProviderNeeds = {
  readonly bundles: Pick<BundleStore, 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  /** State: slots, logs, ledger. Absolute; this provider alone writes there. */
  readonly folder: string;
  /** For sockets. Absolute and short: a socket's path has at most 107 bytes, 12 of them the replica's. */
  readonly runFolder: string;
  /** What functions get as `OPENFAAS_URL`. */
  readonly gatewayUrl: string;
  /** Values of the secrets that a deployment names; without it, deployments with secrets do not start. */
  readonly secrets?: SecretReader;
  /** Workers kept warm; 0 forks one for each replica. */
  readonly poolSize: number;
  /** Wanted replicas, at most. */
  readonly maxReplicas: { readonly perFunction: number; readonly total: number };
  /** How long one invocation of a function may run, milliseconds: what draining waits for. */
  readonly timeoutMs: (spec: FunctionSpec) => number;
  /** How long a replica still takes calls after `resolve` dropped it, milliseconds; default 500. */
  readonly drainDelayMs?: number;
  /** How long a replica may take to become ready, milliseconds; default 10 s. */
  readonly readyTimeoutMs?: number;
  /** Told how long each replica took from being wanted to being ready, milliseconds. */
  readonly onColdStart?: (ms: number) => void;
};

/** A replica as an operator sees it. */
export type ReplicaInfo = {
  readonly id: string;
  readonly ref: FunctionRef;
  readonly revision: string;
  readonly pid: number;
  /** In node and classic mode each line begins with its time; `PATH.1`, if there is one, holds what came before. */
  readonly logFile: string;
};

/** For a provider that was not told where secrets are. */
const noSecrets: SecretReader = (_, names) => {
  throw new SkeinError('unavailable', `this node cannot read the secrets ${names.join(', ')}`);
};

type Deployed = { fleet: Fleet; next?: Fleet };

const healthEveryMs = 5000;
const logsEveryMs = 2000;
const marksEveryMs = 250;

/**
 * Runs functions as processes of this machine: no root, no containers. Node mode takes workers from a pool and confines them by Node's
 * permission model, which keeps honest code in its place; it is no wall against hostile code. Http and classic mode confine nothing.
 */
export class ProcessProvider implements FunctionProvider {
  readonly kind = 'process';
  readonly #needs: ProcessProviderNeeds;
  readonly #folders: Folders;
  readonly #pool: WorkerPool;
  readonly #functions = new Map<FunctionKey, Deployed>();
  readonly #turns = new Map<FunctionKey, Promise<void>>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #listeners = new Set<(ref: FunctionRef) => void>();
  #ledger: Ledger | undefined;
  #prepared: Promise<Runtime> | undefined;
  #timers: readonly (() => void)[] = [];

  /** `invalid` when a folder is relative or `runFolder` is too long. */
  constructor(needs: ProcessProviderNeeds) {
    for (const folder of [needs.folder, needs.runFolder]) {
      if (!isAbsolute(folder)) throw new SkeinError('invalid', `the folder ${folder} must be an absolute path`);
    }
    this.#needs = needs;
    this.#folders = new Folders(needs.folder, needs.runFolder);
    this.#pool = new WorkerPool({ ...needs, folders: this.#folders, runtime: this.#runtime, size: needs.poolSize });
  }

  /**
   * Adopts the replicas of an earlier run that still answer, ends and removes what is left of the others, and begins to fill the
   * pool. To be called once, before anything else.
   */
  async start(): Promise<void> {
    await this.#folders.make();
    this.#ledger = await Ledger.open(this.#needs.folder);
    const { clock, log } = this.#needs;
    for (const replica of await survivors(this.#ledger, clock)) {
      log.info({ replica: replica.id, function: replica.spec.ref.name }, 'adopted a replica');
      this.#adopt(replica);
    }
    await this.#folders.clearOthers(new Set(this.#ledger.entries().map((entry) => entry.id)));
    this.#pool.start();
    this.#timers = [
      clock.every(healthEveryMs, () => void this.checkHealth()),
      clock.every(logsEveryMs, () => void this.boundLogs()),
      clock.every(marksEveryMs, () => void this.#each((fleet) => fleet.markLogs())),
    ];
  }

  /** Drains and ends every replica, running calls for at most `graceMs`, and the pool. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#endTimers();
    await Promise.all([...this.#fleets().map((fleet) => fleet.close(0, graceMs)), this.#pool.stop()]);
    await Promise.all(this.#leaving);
    this.#functions.clear();
  }

  /** The agent goes, the replicas stay and serve: a later `start` adopts them. */
  async release(): Promise<void> {
    this.#endTimers();
    for (const fleet of this.#fleets()) fleet.release();
    await this.#pool.stop();
  }

  async list(): Promise<readonly ProvidedFunction[]> {
    return [...this.#functions.values()].map(({ fleet }) => fleet.status());
  }

  async deploy(spec: FunctionSpec, replicas: number): Promise<void> {
    await this.#inTurn(spec.ref, async (key) => {
      if (this.#functions.has(key)) {
        throw new SkeinError('exists', `function ${key} already exists: update it, or remove it first`);
      }
      this.#checkLimits(key, replicas);
      const fleet = await this.#fleet(spec);
      this.#functions.set(key, { fleet });
      await fleet.scale(replicas);
    });
  }

  async update(spec: FunctionSpec): Promise<void> {
    await this.#inTurn(spec.ref, async (key) => {
      const deployed = this.#known(spec.ref);
      const old = deployed.fleet;
      if (old.spec.revision === spec.revision) return;
      const next = await this.#fleet(spec);
      deployed.next = next;
      try {
        await next.scale(old.wanted);
      } catch (error) {
        void this.#leave(next, 0);
        throw error;
      } finally {
        delete deployed.next;
      }
      if (this.#functions.get(key) !== deployed) {
        void this.#leave(next, 0);
        throw new SkeinError('not-found', `function ${key} was removed while it was updated`);
      }
      deployed.fleet = next;
      this.#changed(spec.ref);
      void this.#leave(old, this.#drainDelayMs);
    });
  }

  async remove(ref: FunctionRef): Promise<void> {
    const { fleet } = this.#known(ref);
    this.#functions.delete(functionKey(ref.name, ref.namespace));
    this.#changed(ref);
    await this.#leave(fleet, this.#drainDelayMs);
  }

  async scale(ref: FunctionRef, replicas: number): Promise<void> {
    const { fleet, next } = this.#known(ref);
    this.#checkLimits(functionKey(ref.name, ref.namespace), replicas);
    // The update that brings `next` tells its caller how that one does.
    next?.scale(replicas).catch(() => {});
    try {
      await fleet.scale(replicas);
    } catch (error) {
      const { fleet: now } = this.#known(ref);
      if (now === fleet) throw error;
      // An update ended meanwhile: the new revision has to get there.
      await now.scale(now.wanted);
    }
  }

  resolve(ref: FunctionRef): readonly ReplicaPlan[] {
    return this.#functions.get(functionKey(ref.name, ref.namespace))?.fleet.plans() ?? [];
  }

  onChange(listener: (ref: FunctionRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The last replicas that ended count too. In http mode a line's time is when it was noticed, within a quarter of a second;
   * elsewhere it is when it was written.
   */
  logs(ref: FunctionRef, options: LogOptions): AsyncIterable<ReplicaLine> {
    return readLogs(this.logFolder(ref), options, this.#needs.clock);
  }

  /** Workers that wait to become a function. */
  get idleWorkers(): number {
    return this.#pool.idle;
  }

  /** The ready replicas. */
  replicas(): readonly ReplicaInfo[] {
    return this.#fleets().flatMap((fleet) =>
      fleet.replicas().map(({ id, spec, process }) => ({
        id,
        ref: spec.ref,
        revision: spec.revision,
        pid: process.identity.pid,
        logFile: logFile(this.logFolder(spec.ref), id),
      })),
    );
  }

  /** Where the logs of a function's replicas are, those that ended recently included: one `ID.log` each. */
  logFolder(ref: FunctionRef): string {
    return this.#folders.logs(ref);
  }

  /**
   * Replaces replicas that refused a connection twice in a row, or were not well for as long as one invocation may take. Runs
   * every 5 s by itself.
   */
  async checkHealth(): Promise<void> {
    await this.#each((fleet) => fleet.checkHealth());
  }

  /** Keeps the log of each replica near 1 MiB. Runs every 2 s by itself. */
  async boundLogs(): Promise<void> {
    await this.#each((fleet) => fleet.boundLogs());
  }

  /** Made once, when the first process needs it. */
  readonly #runtime = (): Promise<Runtime> => (this.#prepared ??= prepareRuntime(this.#folders.runtime));

  get #drainDelayMs(): number {
    return this.#needs.drainDelayMs ?? 500;
  }

  /** Changes of one function happen one after the other. */
  async #inTurn(ref: FunctionRef, change: (key: FunctionKey) => Promise<void>): Promise<void> {
    const key = functionKey(ref.name, ref.namespace);
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(() => change(key));
    const settled = turn.catch(() => {});
    this.#turns.set(key, settled);
    void settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    });
    await turn;
  }

  #known(ref: FunctionRef): Deployed {
    const key = functionKey(ref.name, ref.namespace);
    const deployed = this.#functions.get(key);
    if (deployed === undefined) throw new SkeinError('not-found', `there is no function ${key}`);
    return deployed;
  }

  #checkLimits(key: FunctionKey, replicas: number): void {
    const { perFunction, total } = this.#needs.maxReplicas;
    if (replicas > perFunction) {
      throw new SkeinError(
        'unavailable',
        `${replicas} replicas are more than the ${perFunction} that a function may have here`,
      );
    }
    let others = 0;
    for (const [other, { fleet }] of this.#functions) if (other !== key) others += fleet.wanted;
    if (others + replicas > total) {
      throw new SkeinError(
        'unavailable',
        `${replicas} replicas beside ${others} of other functions are more than the ${total} that this node runs`,
      );
    }
  }

  /** A fleet for a function that can be run. */
  async #fleet(spec: FunctionSpec): Promise<Fleet> {
    const { bundles, gatewayUrl } = this.#needs;
    await checkRunnable(spec, await openBundle(bundles, spec), this.#folders.slot('any'), gatewayUrl);
    return this.#makeFleet(spec);
  }

  #makeFleet(spec: FunctionSpec): Fleet {
    const { clock, log, gatewayUrl, onColdStart, readyTimeoutMs } = this.#needs;
    if (this.#ledger === undefined) throw new SkeinError('internal', 'the provider was not started');
    return new Fleet(
      {
        clock,
        log,
        gatewayUrl,
        secrets: this.#needs.secrets ?? noSecrets,
        folders: this.#folders,
        ledger: this.#ledger,
        pool: this.#pool,
        runtime: this.#runtime,
        readyTimeoutMs: readyTimeoutMs ?? 10_000,
        drainDelayMs: this.#drainDelayMs,
        onColdStart: onColdStart ?? (() => {}),
        onChange: () => this.#changed(spec.ref),
      },
      spec,
      () => openBundle(this.#needs.bundles, spec),
      this.#needs.timeoutMs(spec),
    );
  }

  /** Of two revisions that both run, an update was under way: the one recorded later goes on. */
  #adopt(replica: Replica): void {
    const { ref, revision } = replica.spec;
    const key = functionKey(ref.name, ref.namespace);
    const known = this.#functions.get(key);
    if (known?.fleet.spec.revision === revision) {
      known.fleet.adopt(replica);
      return;
    }
    const fleet = this.#makeFleet(replica.spec);
    this.#functions.set(key, { fleet });
    fleet.adopt(replica);
    if (known !== undefined) void this.#leave(known.fleet, this.#drainDelayMs);
  }

  /** Closes a fleet that is no function's any more; `stop` waits for it. */
  #leave(fleet: Fleet, delayMs: number): Promise<void> {
    const left = fleet.close(delayMs).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
    return left;
  }

  #fleets(): readonly Fleet[] {
    return [...this.#functions.values()].flatMap(({ fleet, next }) => (next === undefined ? [fleet] : [fleet, next]));
  }

  async #each(act: (fleet: Fleet) => Promise<void>): Promise<void> {
    for (const fleet of this.#fleets()) {
      await act(fleet).catch((error: unknown) =>
        this.#needs.log.error({ error: messageOf(error) }, 'a look at replicas failed'),
      );
    }
  }

  #endTimers(): void {
    for (const end of this.#timers) end();
  }

  #changed(ref: FunctionRef): void {
    for (const listener of this.#listeners) listener(ref);
  }
}
