import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import { functionKey, type FunctionKey } from '../../domain/ids.ts';
import type { FunctionRef } from '../../domain/function.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { FunctionProvider, FunctionSpec, ProvidedFunction } from '../provider.ts';

export type MemoryProviderNeeds = {
  readonly clock: Clock;
  /**
   * The code of a function, as a listener for each replica. `invalid` thrown: it cannot run at all; a listener that rejects: it does
   * not become ready.
   */
  readonly code: (spec: FunctionSpec) => () => Promise<RequestListener>;
  /** Wanted replicas, of all functions together. */
  readonly maxReplicas: number;
};

type Running = { readonly plan: ReplicaPlan; readonly server: Server };
type Known = {
  spec: FunctionSpec;
  code: () => Promise<RequestListener>;
  wanted: number;
  running: Running[];
  /** The last start failed. */
  failed?: boolean;
  problem?: string;
};

const restartAfterMs = 100;
const leaveAfterMs = 100;

/**
 * Runs functions inside this process, each replica a server on a loopback port: for tests, where processes would only be slow. Nothing
 * is isolated and nothing outlives the process.
 */
export class MemoryProvider implements FunctionProvider {
  readonly kind = 'memory';
  readonly #needs: MemoryProviderNeeds;
  readonly #functions = new Map<FunctionKey, Known>();
  readonly #listeners = new Set<(ref: FunctionRef) => void>();
  readonly #changing = new Map<FunctionKey, Promise<void>>();
  readonly #restarts = new Set<() => void>();
  readonly #servers = new Set<Server>();
  #replicas = 0;

  constructor(needs: MemoryProviderNeeds) {
    this.#needs = needs;
  }

  async list(): Promise<readonly ProvidedFunction[]> {
    return [...this.#functions.values()].map(toStatus);
  }

  async deploy(spec: FunctionSpec, replicas: number): Promise<void> {
    const key = keyOf(spec.ref);
    if (this.#functions.has(key)) throw new SkeinError('exists', `function ${key} already exists`);
    this.#checkRoom(undefined, replicas);
    this.#functions.set(key, { spec, code: this.#needs.code(spec), wanted: 0, running: [] });
    await this.scale(spec.ref, replicas);
  }

  async update(spec: FunctionSpec): Promise<void> {
    const known = this.#known(spec.ref);
    if (known.spec.revision === spec.revision) return;
    const code = this.#needs.code(spec);
    await this.#inTurn(spec.ref, async () => {
      const fresh: Running[] = [];
      try {
        while (fresh.length < known.wanted) fresh.push(await this.#run(spec, code));
      } catch (error) {
        for (const running of fresh) this.#leave(running);
        throw error;
      }
      const old = known.running;
      Object.assign(known, { spec, code, running: fresh });
      this.#changed(spec.ref);
      for (const running of old) this.#leave(running);
    });
  }

  async remove(ref: FunctionRef): Promise<void> {
    const known = this.#known(ref);
    this.#functions.delete(keyOf(ref));
    this.#changed(ref);
    known.wanted = 0;
    for (const running of known.running.splice(0)) this.#leave(running);
  }

  async scale(ref: FunctionRef, replicas: number): Promise<void> {
    const known = this.#known(ref);
    this.#checkRoom(known, replicas);
    known.wanted = replicas;
    await this.#inTurn(ref, () => this.#reach(known));
  }

  resolve(ref: FunctionRef): readonly ReplicaPlan[] {
    return this.#functions.get(keyOf(ref))?.running.map(({ plan }) => plan) ?? [];
  }

  failing(ref: FunctionRef): boolean {
    const known = this.#functions.get(keyOf(ref));
    return known?.failed === true && known.wanted > 0 && known.running.length === 0;
  }

  onChange(listener: (ref: FunctionRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends a replica at once, running calls included, as a crash would. It is replaced. */
  crash(id: string): void {
    for (const known of this.#functions.values()) {
      const crashed = known.running.find(({ plan }) => plan.id === id);
      if (crashed === undefined) continue;
      known.running = known.running.filter((running) => running !== crashed);
      crashed.server.close();
      crashed.server.closeAllConnections();
      known.problem = 'a replica crashed';
      this.#changed(known.spec.ref);
      this.#restartLater(known);
    }
  }

  /** Ends everything at once. */
  stop(): void {
    for (const cancel of this.#restarts) cancel();
    this.#functions.clear();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #known(ref: FunctionRef): Known {
    const known = this.#functions.get(keyOf(ref));
    if (known === undefined) throw new SkeinError('not-found', `there is no function ${keyOf(ref)}`);
    return known;
  }

  #checkRoom(of: Known | undefined, replicas: number): void {
    let all = replicas;
    for (const known of this.#functions.values()) if (known !== of) all += known.wanted;
    const { maxReplicas } = this.#needs;
    if (all > maxReplicas)
      throw new SkeinError('unavailable', `${all} replicas are more than the ${maxReplicas} that fit here`);
  }

  /** Changes of one function happen one after the other. */
  async #inTurn(ref: FunctionRef, change: () => Promise<void>): Promise<void> {
    const key = keyOf(ref);
    const turn = (this.#changing.get(key) ?? Promise.resolve()).catch(() => {}).then(change);
    this.#changing.set(key, turn);
    await turn;
  }

  async #reach(known: Known): Promise<void> {
    const spare = known.running.splice(known.wanted);
    if (spare.length > 0) this.#changed(known.spec.ref);
    for (const running of spare) this.#leave(running);
    while (known.running.length < known.wanted) {
      try {
        known.running.push(await this.#run(known.spec, known.code));
      } catch (error) {
        known.problem = messageOf(error);
        known.failed = true;
        this.#changed(known.spec.ref);
        this.#restartLater(known);
        throw error;
      }
      known.failed = false;
      this.#changed(known.spec.ref);
    }
  }

  async #run(spec: FunctionSpec, code: () => Promise<RequestListener>): Promise<Running> {
    let listener: RequestListener;
    try {
      listener = await code();
    } catch (error) {
      throw new SkeinError('unavailable', `${spec.ref.name} does not start: ${messageOf(error)}`, { cause: error });
    }
    const server = createServer(listener);
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const { port } = server.address() as AddressInfo;
    const plan: ReplicaPlan = {
      id: `m${++this.#replicas}`,
      address: { kind: 'tcp', host: '127.0.0.1', port },
      version: spec.revision,
      weight: 1,
      maxInFlight: Number(spec.deployment.envVars?.['max_inflight'] ?? 0),
    };
    return { plan, server };
  }

  /** Goes on for a moment, in which those who call learn of it; then finishes what runs. */
  #leave({ server }: Running): void {
    this.#needs.clock.after(leaveAfterMs, () => server.close());
  }

  #restartLater(known: Known): void {
    const cancel = this.#needs.clock.after(restartAfterMs, () => {
      this.#restarts.delete(cancel);
      if (this.#functions.get(keyOf(known.spec.ref)) === known)
        this.#inTurn(known.spec.ref, () => this.#reach(known)).catch(() => {});
    });
    this.#restarts.add(cancel);
  }

  #changed(ref: FunctionRef): void {
    for (const listener of this.#listeners) listener(ref);
  }
}

const keyOf = (ref: FunctionRef): FunctionKey => functionKey(ref.name, ref.namespace);

const toStatus = ({ spec, wanted, running, problem }: Known): ProvidedFunction => {
  const status = { spec, replicas: wanted, available: running.length };
  return problem === undefined ? status : { ...status, problem };
};
