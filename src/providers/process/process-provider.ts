import { rm } from 'node:fs/promises';
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
import { Revisions } from './revisions.ts';
import { prepareRuntime, type Runtime } from './runtime.ts';
import { prepareSecretMounts, type NoMounts, type SecretMounts } from './secret-mounts.ts';
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
  /** How replicas get them at the path where OpenFaaS has them; by default this is found out, and the folder made. */
  readonly secretMounts?: () => Promise<SecretMounts | NoMounts>;
  /** Workers kept warm; 0 forks one for each replica. */
  readonly poolSize: number;
  /** Wanted replicas, at most. */
  readonly maxReplicas: { readonly perFunction: number; readonly total: number };
  /** How long one invocation of a function may run, milliseconds: what draining waits for. */
  readonly timeoutMs: (spec: FunctionSpec) => number;
  /** How long a replica still takes calls after `resolve` dropped it, milliseconds, at least; default 500. */
  readonly drainDelayMs?: number;
  /** Resolves when calls no longer go to replicas that `resolve` dropped; they take calls until then. Never rejects. */
  readonly withdrawn?: () => Promise<void>;
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

/** Removed functions whose logs are kept. */
const keptRemoved = 20;

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
  readonly #functions = new Map<FunctionKey, Revisions>();
  readonly #turns = new Map<FunctionKey, Promise<void>>();
  readonly #leaving = new Map<Fleet, Promise<void>>();
  /** Removed functions whose logs are kept, the oldest first. */
  readonly #removed = new Map<FunctionKey, FunctionRef>();
  readonly #listeners = new Set<(ref: FunctionRef) => void>();
  #ledger: Ledger | undefined;
  #stopped = false;
  #prepared: Promise<Runtime> | undefined;
  #mounted: Promise<SecretMounts | undefined> | undefined;
  #timers: readonly (() => void)[] = [];

  /** `invalid` when a folder is relative or `runFolder` is too long. */
  constructor(needs: ProcessProviderNeeds) {
    for (const folder of [needs.folder, needs.runFolder]) {
      if (!isAbsolute(folder)) throw new SkeinError('invalid', `the folder ${folder} must be an absolute path`);
    }
    this.#needs = needs;
    this.#folders = new Folders(needs.folder, needs.runFolder);
    this.#pool = new WorkerPool({
      ...needs,
      folders: this.#folders,
      runtime: this.#runtime,
      mounts: this.#mounts,
      size: needs.poolSize,
    });
  }

  /**
   * Adopts the replicas of an earlier run that still answer, ends and removes what is left of the others, and begins to fill the
   * pool. To be called once, before anything else.
   */
  async start(): Promise<void> {
    await this.#folders.make();
    void this.#mounts();
    this.#ledger = await Ledger.open(this.#needs.folder);
    const { clock, log } = this.#needs;
    for (const replica of await survivors(this.#ledger, clock)) {
      log.info({ replica: replica.id, function: replica.spec.ref.name }, 'adopted a replica');
      this.#adopt(replica);
    }
    await this.#folders.clearOthers(new Set(this.#ledger.entries().map((entry) => entry.id)));
    this.#pool.start();
    for (const revisions of this.#functions.values()) revisions.adopted();
    this.#timers = [
      clock.every(healthEveryMs, () => void this.checkHealth()),
      clock.every(logsEveryMs, () => void this.boundLogs()),
      clock.every(marksEveryMs, () => void this.#each((fleet) => fleet.markLogs())),
    ];
  }

  /** Drains and ends every replica, also those that leave already, running calls for at most `graceMs`, and the pool. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopped = true;
    this.#endTimers();
    const fleets = [...this.#fleets(), ...this.#leaving.keys()];
    await Promise.all([...fleets.map((fleet) => fleet.close(0, graceMs)), this.#pool.stop()]);
    await Promise.all(this.#leaving.values());
    this.#functions.clear();
  }

  /** The agent goes, the replicas stay and serve: a later `start` adopts them. */
  async release(): Promise<void> {
    this.#endTimers();
    for (const fleet of this.#fleets()) fleet.release();
    await this.#pool.stop();
  }

  async list(): Promise<readonly ProvidedFunction[]> {
    return [...this.#functions.values()].map((revisions) => revisions.status());
  }

  async deploy(spec: FunctionSpec, replicas: number): Promise<void> {
    await this.#inTurn(spec.ref, async (key) => {
      if (this.#functions.has(key)) {
        throw new SkeinError('exists', `function ${key} already exists: update it, or remove it first`);
      }
      this.#checkLimits(key, replicas);
      const fleet = await this.#checkedFleet(spec);
      this.#functions.set(key, this.#revisions(fleet));
      await fleet.scale(replicas);
    });
  }

  async update(spec: FunctionSpec): Promise<void> {
    await this.#inTurn(spec.ref, () => this.#known(spec.ref).update(spec));
  }

  async remove(ref: FunctionRef): Promise<void> {
    const revisions = this.#known(ref);
    this.#functions.delete(functionKey(ref.name, ref.namespace));
    this.#changed(ref);
    await revisions.remove();
    await this.#forgetLogs(ref);
  }

  async scale(ref: FunctionRef, replicas: number): Promise<void> {
    const revisions = this.#known(ref);
    this.#checkLimits(functionKey(ref.name, ref.namespace), replicas);
    await revisions.scale(replicas);
  }

  resolve(ref: FunctionRef): readonly ReplicaPlan[] {
    return this.#find(ref)?.plans() ?? [];
  }

  failing(ref: FunctionRef): boolean {
    return this.#find(ref)?.failing === true;
  }

  pids(ref: FunctionRef): readonly number[] {
    return (
      this.#find(ref)
        ?.replicas()
        .map(({ process }) => process.identity.pid) ?? []
    );
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

  /** Found out once. */
  readonly #mounts = (): Promise<SecretMounts | undefined> => (this.#mounted ??= this.#findMounts());

  async #findMounts(): Promise<SecretMounts | undefined> {
    const { clock, log, secretMounts } = this.#needs;
    const found = await (secretMounts ?? (() => prepareSecretMounts(clock)))();
    if (!('why' in found)) return found;
    log.info(
      { why: found.why },
      'functions find their secrets in the folder of SECRETS_PATH, not in /var/openfaas/secrets',
    );
    return undefined;
  }

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

  #find(ref: FunctionRef): Revisions | undefined {
    return this.#functions.get(functionKey(ref.name, ref.namespace));
  }

  #known(ref: FunctionRef): Revisions {
    const revisions = this.#find(ref);
    if (revisions !== undefined) return revisions;
    throw new SkeinError('not-found', `there is no function ${functionKey(ref.name, ref.namespace)}`);
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
    for (const [other, { wanted }] of this.#functions) if (other !== key) others += wanted;
    if (others + replicas > total) {
      throw new SkeinError(
        'unavailable',
        `${replicas} replicas beside ${others} of other functions are more than the ${total} that this node runs`,
      );
    }
  }

  #revisions(first: Fleet): Revisions {
    const { ref } = first.spec;
    return new Revisions(
      {
        makeFleet: (spec) => this.#makeFleet(spec),
        checkedFleet: (spec) => this.#checkedFleet(spec),
        leave: (fleet, delayMs) => this.#leave(fleet, delayMs),
        drainDelayMs: this.#drainDelayMs,
        onChange: () => this.#changed(ref),
      },
      first,
    );
  }

  /** A fleet for a function that can be run. */
  async #checkedFleet(spec: FunctionSpec): Promise<Fleet> {
    const { bundles, gatewayUrl } = this.#needs;
    await checkRunnable(spec, await openBundle(bundles, spec), this.#folders.slot('any'), gatewayUrl);
    return this.#makeFleet(spec);
  }

  #makeFleet(spec: FunctionSpec): Fleet {
    const { clock, log, gatewayUrl, onColdStart, readyTimeoutMs } = this.#needs;
    if (this.#ledger === undefined) throw new SkeinError('internal', 'the provider was not started');
    if (this.#stopped) throw new SkeinError('unavailable', 'the provider stops');
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
        mounts: this.#mounts,
        readyTimeoutMs: readyTimeoutMs ?? 10_000,
        drainDelayMs: this.#drainDelayMs,
        withdrawn: this.#needs.withdrawn ?? (() => Promise.resolve()),
        live: () => this.#live(spec.ref),
        onColdStart: onColdStart ?? (() => {}),
        onChange: () => this.#fleetChanged(spec.ref),
      },
      spec,
      () => openBundle(this.#needs.bundles, spec),
      this.#needs.timeoutMs(spec),
    );
  }

  #adopt(replica: Replica): void {
    const { name, namespace } = replica.spec.ref;
    const key = functionKey(name, namespace);
    const revisions = this.#functions.get(key) ?? this.#revisions(this.#makeFleet(replica.spec));
    this.#functions.set(key, revisions);
    revisions.adopt(replica);
  }

  #fleetChanged(ref: FunctionRef): void {
    this.#find(ref)?.settle();
    this.#changed(ref);
  }

  /** Closes a fleet that is no function's any more; `stop` waits for it. */
  #leave(fleet: Fleet, delayMs: number): Promise<void> {
    const left = fleet.close(delayMs).finally(() => this.#leaving.delete(fleet));
    this.#leaving.set(fleet, left);
    return left;
  }

  /** Why a function that was removed did not work may still be asked, but not of all there ever were. */
  async #forgetLogs(ref: FunctionRef): Promise<void> {
    const removed = functionKey(ref.name, ref.namespace);
    this.#removed.delete(removed);
    this.#removed.set(removed, ref);
    for (const [key, oldest] of [...this.#removed].slice(0, -keptRemoved)) {
      this.#removed.delete(key);
      await this.#inTurn(oldest, async () => {
        if (!this.#functions.has(key)) await rm(this.logFolder(oldest), { recursive: true, force: true });
      });
    }
  }

  #live({ name, namespace }: FunctionRef): ReadonlySet<string> {
    const fleets = [...this.#fleets(), ...this.#leaving.keys()];
    const own = fleets.filter(({ spec: { ref } }) => ref.name === name && ref.namespace === namespace);
    return new Set(own.flatMap((fleet) => fleet.ids()));
  }

  #fleets(): readonly Fleet[] {
    return [...this.#functions.values()].flatMap((revisions) => revisions.fleets());
  }

  /** Also those that leave: their last calls may last for hours. */
  async #each(act: (fleet: Fleet) => Promise<void>): Promise<void> {
    for (const fleet of [...this.#fleets(), ...this.#leaving.keys()]) {
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
