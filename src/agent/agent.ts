import type { BundleStore } from '../bundles/bundle-store.ts';
import type { Bounds } from '../capacity/next-limit.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { applyOverrides, placementOf, revisionOf, type NodeFacts } from '../catalogue/placement.ts';
import { keys, type FunctionValue } from '../catalogue/record.ts';
import { asFunction, asImage, asOverride } from '../catalogue/values.ts';
import type { DataPlane, Demand } from '../dataplanes/data-plane.ts';
import { messageOf, SkeinError } from '../domain/errors.ts';
import { functionKey, type FunctionKey, type NodeId } from '../domain/ids.ts';
import type { FunctionDeployment, FunctionRef } from '../domain/function.ts';
import type { FunctionHost, NodeFunction, PeerHost, ScaleWish } from '../gateway/needs.ts';
import { nodeLogs } from '../gateway/node-logs.ts';
import { createPeerHost } from '../gateway/peer-host.ts';
import type { Membership } from '../membership/membership.ts';
import type { Announcement, Message, NodeStatus } from '../membership/message.ts';
import type { FunctionProvider } from '../providers/provider.ts';
import type { Plan, Routes } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import { sha256Hex } from '../std/sha256.ts';
import type { Strategy } from '../strategies/strategy.ts';
import type { AgentInstruments } from '../telemetry/agent-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import { fetchBundle, type BundleSource } from './bundle-fetcher.ts';
import { BundleSweeper } from './bundle-sweeper.ts';
import { CarriedPlan } from './carried-plan.ts';
import { composePlan } from './compose-plan.ts';
import { homesToCome } from './homes.ts';
import type { Hosted } from './hosted.ts';
import type { KeptScale } from './kept-scale.ts';
import { settingsOf } from './labels.ts';
import { Measures } from './measures.ts';
import { Neighbours, type Told } from './neighbours.ts';
import type { PeerFetch } from './peer-fetch.ts';
import { Rates } from './rates.ts';
import { asReached, namedHere, reaches, runsHere, type InForce } from './reach.ts';
import { Reconciler } from './reconciler.ts';
import { sameNames, tellSameName, type SameName } from './same-names.ts';
import { defaultPerReplica, Scaler, type FunctionLoad } from './scaler.ts';
import { Slots } from './slots.ts';
import { failsElsewhere, sentenceOf, type StartFault } from './start-fault.ts';
import { StatusTeller } from './status-teller.ts';
import { StrategyHost } from './strategy-host.ts';
import { buildView } from './view.ts';

export type AgentNeeds = {
  readonly self: NodeId;
  readonly node: NodeFacts;
  /** How many calls run at once; where `measuredSlots` are bounds for it, to begin with. */
  readonly slots: number;
  readonly measuredSlots: Bounds | undefined;
  readonly cores: number;
  readonly catalogue: Catalogue;
  readonly membership: Membership;
  readonly provider: FunctionProvider;
  readonly dataPlane: DataPlane;
  readonly strategy: Strategy;
  readonly strategyPeriodMs: number;
  readonly bundles: BundleStore;
  /** Changes whenever the value of one of these secrets does. */
  readonly secretVersions: (namespace: string, names: readonly string[]) => string;
  readonly peerFetch: PeerFetch;
  readonly instruments: AgentInstruments;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly maxReplicas: number;
  readonly idleMs: number;
  /** What was scaled by hand. */
  readonly keptScale: KeptScale;
  /** Asynchronous calls in the queue of this node, by function. */
  readonly queued: () => Promise<ReadonlyMap<FunctionKey, number>>;
  readonly queueMs: number;
  readonly timeoutMs: number;
  /** What the others are told of this node; slots and draining are filled in. */
  readonly announcement: Omit<Announcement, 'slots' | 'draining'>;
};

/** Of what is told of a function that is not ready. */
const maxProblem = 1_000;

/** Functions that fail, of which peers are told. */
const maxFailing = 500;

/** How often bundles that nothing names are looked for. */
const sweepMs = 10 * 60_000;

/** How often the data plane is looked at: load, rates, replicas that nobody needs any more. */
const lookMs = 250;

/** How long a replica that leaves waits for the data plane to take the plan without it. */
const withdrawMs = 15_000;

/**
 * Look, decide, do: reads the data plane, the catalogue and what peers say; lets the strategy decide; tells the data plane and
 * the provider. It holds nothing that cannot be read again, so that a new one can take its place at any moment.
 */
export class Agent {
  readonly #needs: AgentNeeds;
  readonly #hosted = new Map<FunctionKey, Hosted>();
  readonly #rates = new Rates();
  readonly #neighbours = new Neighbours();
  readonly #strategy: StrategyHost;
  readonly #reconciler: Reconciler;
  readonly #scaler: Scaler;
  readonly #measures: Measures;
  readonly #teller: StatusTeller;
  readonly #sweeper: BundleSweeper;
  readonly #slots: Slots;
  #routes: Routes = {};
  #version = 0;
  #draining = false;
  #started = false;
  #stopped = false;
  #replanWanted = false;
  #carried: CarriedPlan | undefined;
  /** The plan that the data plane confirmed last. */
  #inForce: InForce;
  #observing = false;
  /** The data plane did not take a plan: it is told again when it answers. */
  #untaken = false;
  /** Those who wait for a plan that is made from now on, by the least version of it. */
  readonly #awaiting = new Set<{ readonly version: number; readonly resolve: () => void }>();
  #sameNames: readonly SameName[] = [];
  #replanning: Promise<void> | undefined;
  readonly #ends: (() => void)[] = [];

  constructor(needs: AgentNeeds) {
    this.#needs = needs;
    const { strategy, strategyPeriodMs: periodMs, clock, random, membership, provider, log } = needs;
    this.#strategy = new StrategyHost({
      strategy,
      periodMs,
      clock,
      random,
      onRoutes: (routes) => {
        this.#routes = routes;
        this.#replan();
      },
      send: (to, payload) => this.#tell(to, { kind: 'strategy', strategy: strategy.name, payload }),
    });
    this.#reconciler = new Reconciler({
      provider,
      wanted: (key) => this.#hosted.get(key),
      fetchBundle: ({ digest }) => fetchBundle(digest, needs.bundles, this.#asked()),
      onChange: (key) => this.#functionChanged(key),
      clock,
      log,
    });
    const { maxReplicas, idleMs, keptScale: kept, queued } = needs;
    this.#scaler = new Scaler({ provider, clock, log, kept, maxReplicas, idleMs });
    this.#measures = new Measures({ provider, queued, clock });
    this.#sweeper = new BundleSweeper(needs.bundles);
    this.#slots = new Slots({ slots: needs.slots, measured: needs.measuredSlots });
    this.#teller = new StatusTeller({
      send: (status) => void membership.broadcast({ kind: 'status', status }),
      clock,
      members: () => this.#neighbours.members().length,
    });
  }

  /** The provider and the data plane run already; membership may begin before or after. */
  async start(): Promise<void> {
    const { catalogue, membership, provider, dataPlane, clock, instruments } = this.#needs;
    const found = await dataPlane.observe();
    this.#version = found.planVersion;
    this.#inForce = await dataPlane.carried();
    this.#carryOn(this.#inForce);
    instruments.slots(this.#slots.steady);
    this.#catalogueChanged(catalogue.list('function/').map(({ key }) => key));
    await this.#adopted();
    this.#ends.push(
      catalogue.onChange((changed) => this.#catalogueChanged(changed)),
      provider.onChange((ref) => this.#functionChanged(functionKey(ref.name, ref.namespace))),
      dataPlane.onDemand((demand) => this.#demanded(demand)),
      membership.onChange(() => this.#membersChanged()),
      membership.onMessage((from, message) => this.#received(from, message)),
      clock.every(lookMs, () => void this.#look()),
      clock.every(sweepMs, () => void this.#sweepBundles()),
    );
    // Those that came before this listened are not told of again.
    this.#membersChanged();
    this.#announce();
    await this.#look();
    this.#started = true;
    this.#replan();
    await this.#replanning;
  }

  /** Tells the others and the data plane that nothing new is to come here. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#announce();
    this.#replan();
    await this.#replanning;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#ends.splice(0)) end();
    for (const { resolve } of this.#awaiting) resolve();
    this.#strategy.stop();
    await this.#reconciler.stop();
    await this.#replanning;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** What is wrong with the federation, in sentences for people. */
  get problems(): readonly string[] {
    return this.#sameNames.map(tellSameName);
  }

  /**
   * Resolves when a plan that is made from now on is in force, or after a while when the data plane takes none. Replicas
   * that leave wait for it: until then calls go to them.
   */
  async inForce(): Promise<void> {
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { version: this.#version + 1, resolve };
    this.#awaiting.add(waiting);
    this.#replan();
    const cancel = this.#needs.clock.after(withdrawMs, resolve);
    await promise;
    cancel();
    this.#awaiting.delete(waiting);
  }

  get planVersion(): number {
    return this.#version;
  }

  /** How many calls run at once here, as others are told. */
  get slots(): number {
    return this.#slots.steady;
  }

  get neighbours(): Neighbours {
    return this.#neighbours;
  }

  get rates(): Rates {
    return this.#rates;
  }

  /** The functions that live here and can be called: a replica is ready, or a call starts one. Peers are told the same. */
  readyKeys(): readonly FunctionKey[] {
    return this.#ready().map(({ key }) => key);
  }

  #ready(): readonly Hosted[] {
    return [...this.#hosted.values()].filter((one) => this.#startsHere(one) && runsHere(this.#inForce, one.key));
  }

  /** This node, as one of those that run functions. */
  here(): FunctionHost {
    return {
      name: this.#needs.node.name,
      list: async () => this.#listHere(),
      scale: (ref, wish) => this.#scaleHere(ref, wish),
      logs: nodeLogs(this.#needs.provider),
    };
  }

  /** The peers that can be asked now. */
  peerHosts(): readonly PeerHost[] {
    return this.#neighbours.reachable().map((peer) => {
      const host = createPeerHost(peer.name, (path, init) => this.#needs.peerFetch.fetch(peer, path, init));
      return asReached(host, (key) => reaches(this.#inForce, key, peer.id));
    });
  }

  async #listHere(): Promise<readonly NodeFunction[]> {
    const present = new Map(
      (await this.#needs.provider.list()).map((one) => [functionKey(one.spec.ref.name, one.spec.ref.namespace), one]),
    );
    return [...this.#hosted.values()].map((hosted) => {
      const { key, ref, spec, value, problem } = hosted;
      const there = present.get(key);
      const { replicas = 0 } = there ?? {};
      const available = namedHere(this.#inForce, key, this.#needs.provider.resolve(ref));
      const isCurrent = spec !== undefined && there?.spec.revision === spec.revision;
      const observed = this.#rates.latest?.functions[key];
      // What an earlier revision suffered from says nothing of this one.
      const suffered = isCurrent
        ? (this.#scaler.problem(key) ?? (available < replicas ? there?.problem : undefined))
        : undefined;
      const why = problem ?? suffered;
      return {
        ...ref,
        placed: spec !== undefined,
        replicas,
        availableReplicas: available,
        invocationCount: observed?.entered ?? 0,
        servedCount: observed?.served ?? 0,
        usage: this.#measures.usage(key),
        ...(spec !== undefined && { bounds: this.#scaler.bounds(hosted) }),
        wish: revisionOf(value, value.deployment),
        ready: isCurrent && available >= replicas && runsHere(this.#inForce, key),
        ...(why !== undefined && { problem: why.slice(0, maxProblem) }),
      };
    });
  }

  async #scaleHere(ref: FunctionRef, wish: ScaleWish): Promise<void> {
    const hosted = this.#hosted.get(functionKey(ref.name, ref.namespace));
    if (hosted?.spec === undefined) throw new SkeinError('not-found', `${ref.name} does not live at this node`);
    if (!hosted.ready) {
      throw new SkeinError(
        'unavailable',
        `${ref.name} is not ready here yet${hosted.problem ? `: ${hosted.problem}` : ''}`,
      );
    }
    await this.#scaler.set(hosted, wish);
  }

  // ---- look

  #carryOn(plan: Plan | undefined): void {
    if (plan === undefined || plan.draining) return;
    this.#slots.adopt(plan.slots);
    const { clock, strategy, strategyPeriodMs } = this.#needs;
    const warmUpMs = (strategy.warmUpPeriods ?? 0) * strategyPeriodMs;
    this.#carried = new CarriedPlan(plan, clock.monotonic(), warmUpMs);
  }

  #welcomePeers(): void {
    if (this.#carried === undefined) return;
    const found = new Set(this.#neighbours.usable(this.#needs.clock.now()).map(({ id }) => id));
    const now = this.#needs.clock.monotonic();
    if (!this.#carried.look(found, now)) return;
    if (this.#carried.isOver(now)) this.#carried = undefined;
    this.#replan();
  }

  /** False while the data plane does not answer. It is asked one thing at a time. */
  async #observe(): Promise<boolean> {
    if (this.#observing) return false;
    this.#observing = true;
    try {
      const observation = await this.#needs.dataPlane.observe();
      this.#rates.add(observation);
      if (this.#slots.look(observation)) this.#slotsChanged();
      return true;
    } catch (error) {
      this.#needs.log.debug({ problem: messageOf(error) }, 'the data plane could not be observed');
      return false;
    } finally {
      this.#observing = false;
    }
  }

  async #look(): Promise<void> {
    const answers = await this.#observe();
    if (this.#stopped) return;
    // Round trips and last words change without an event.
    this.#neighbours.update(this.#needs.membership.members());
    this.#view();
    this.#welcomePeers();
    // What is known of the load is old; and a node whose data plane stands still invites no calls.
    if (answers) this.#lookAtLoad();
  }

  #slotsChanged(): void {
    this.#needs.instruments.slots(this.#slots.steady);
    this.#replan();
  }

  #lookAtLoad(): void {
    const { instruments, clock } = this.#needs;
    if (this.#untaken) this.#replan();
    if (this.#slots.areNews(clock.monotonic())) this.#announce();
    const now = clock.now();
    this.#measures.look(this.#hosted).catch((error: unknown) => {
      this.#needs.log.debug({ problem: messageOf(error) }, 'functions could not be measured');
    });
    for (const hosted of this.#hosted.values()) {
      this.#scaler.look(hosted, this.#loadOf(hosted.key));
    }
    this.#tellStatus();
    instruments.replicas([...this.#hosted.values()].map((hosted) => [hosted.key, this.#replicas(hosted).length]));
    instruments.viewAges(
      this.#neighbours.members().flatMap(({ id, announcement, lastSeen }) => {
        const at = Math.max(lastSeen, this.#neighbours.status(id)?.at ?? 0);
        return announcement === undefined ? [] : [[announcement.name, Math.max(0, now - at) / 1000] as const];
      }),
    );
  }

  #loadOf(key: FunctionKey): FunctionLoad {
    const observed = this.#rates.latest?.functions[key];
    const present = (observed?.inFlight ?? 0) + (observed?.queued ?? 0);
    const inFlight = this.#slots.isPressed(key) ? Math.max(present, this.#pressure(key)) : present;
    const cpu = this.#measures.usage(key)?.cpu;
    return { inFlight, perSecond: this.#rates.of(key).served, cpu, queued: this.#measures.queued(key) };
  }

  /**
   * Measured slots are few where calls slow each other down, which is so, too, where a function's replicas are fewer than the
   * cores: what it is held back from counts as load for as many replicas as there are cores.
   */
  #pressure(key: FunctionKey): number {
    const settings = this.#hosted.get(key)?.settings;
    const isOwnMeasure = settings?.target !== undefined || (settings?.perReplica ?? 0) > 0;
    return isOwnMeasure ? 0 : defaultPerReplica * this.#needs.cores;
  }

  #view(): void {
    const { self, clock } = this.#needs;
    this.#strategy.view(
      buildView({
        self,
        slots: this.#slots.steady,
        hosted: this.#hosted,
        rates: this.#rates,
        neighbours: this.#neighbours,
        replicas: (hosted) => this.#replicas(hosted).length,
        here: (hosted) => this.#startsHere(hosted),
        now: clock.now(),
      }),
    );
  }

  #tellStatus(): void {
    const latest = this.#rates.latest;
    // Peers send calls as soon as they hear of it.
    const failing = [...this.#hosted.values()].filter((one) => this.#fault(one) !== undefined).map(({ key }) => key);
    this.#teller.look({
      inFlight: latest?.inFlight ?? 0,
      slots: this.#slots.inForce,
      ...(failing.length > 0 && { failing: failing.slice(0, maxFailing) }),
      functions: Object.fromEntries(
        this.#ready().map((hosted) => [
          hosted.key,
          {
            inFlight: latest?.functions[hosted.key]?.inFlight ?? 0,
            limit: this.#slots.limitOf(hosted.key, hosted.settings.perReplica * this.#needs.maxReplicas),
            replicas: this.#replicas(hosted).length,
          },
        ]),
      ),
    });
  }

  #replicas({ ref, spec }: Hosted) {
    return spec === undefined ? [] : this.#needs.provider.resolve(ref);
  }

  /** A call finds a replica here, or starts one. */
  #startsHere(hosted: Hosted): boolean {
    return hosted.spec !== undefined && hosted.ready && this.#fault(hosted) === undefined;
  }

  #fault({ ref, spec, ready, fault }: Hosted): StartFault | undefined {
    if (spec === undefined) return undefined;
    if (!ready) return fault;
    return this.#needs.provider.failing?.(ref) === true ? 'failing' : undefined;
  }

  /** Why nobody can start it, as far as is known here: for callers. */
  #problem(hosted: Hosted): string | undefined {
    if (hosted.spec === undefined) {
      const failing = this.#neighbours.members().some(({ id }) => this.#neighbours.fails(id, hosted.key));
      return failing ? failsElsewhere : undefined;
    }
    const fault = this.#fault(hosted);
    return fault && sentenceOf(fault);
  }

  // ---- what changes

  #catalogueChanged(changed: readonly string[]): void {
    const touched = new Set<FunctionKey>();
    for (const key of changed) {
      const [kind, namespace = '', name = ''] = key.split('/');
      if (kind === 'function' || kind === 'override') touched.add(functionKey(name, namespace));
      if (kind === 'secret') for (const key of this.#usersOf(namespace, name)) touched.add(key);
    }
    for (const key of touched) this.#rehost(key);
    if (touched.size === 0) return;
    this.#scaler.forget(this.#hosted);
    this.#view();
    this.#replan();
  }

  #usersOf(namespace: string, secret: string): readonly FunctionKey[] {
    return [...this.#hosted.values()]
      .filter(({ ref, value }) => ref.namespace === namespace && value.deployment.secrets?.includes(secret) === true)
      .map(({ key }) => key);
  }

  /** A changed secret is a changed function: replicas that have the new value replace those that have the old one. */
  #revisionOf(value: FunctionValue, deployment: FunctionDeployment, namespace: string): string {
    const revision = revisionOf(value, deployment);
    const names = deployment.secrets ?? [];
    if (names.length === 0) return revision;
    return `${revision}-${sha256Hex(this.#needs.secretVersions(namespace, names)).slice(0, 16)}`;
  }

  #rehost(key: FunctionKey): void {
    const { catalogue, node } = this.#needs;
    const before = this.#hosted.get(key);
    const dot = key.lastIndexOf('.');
    const ref = { name: key.slice(0, dot), namespace: key.slice(dot + 1) };
    const record = catalogue.get(keys.function(ref.namespace, ref.name));
    if (record === undefined) {
      this.#hosted.delete(key);
      this.#reconciler.touch(key);
      return;
    }
    const value = asFunction(record);
    const overrides = catalogue.list(keys.override(ref.namespace, ref.name, '')).map(asOverride);
    const deployment = applyOverrides(value, overrides, node);
    const { placed, problem } = placementOf(value.deployment.constraints, node);
    const spec = placed
      ? { ref, revision: this.#revisionOf(value, deployment, ref.namespace), digest: value.digest, deployment }
      : undefined;
    this.#hosted.set(key, {
      key,
      ref,
      value,
      settings: settingsOf(deployment),
      spec,
      // While a new revision is made ready the old one goes on.
      ready: spec !== undefined && before?.ready === true,
      ...(problem !== undefined && { problem }),
    });
    this.#reconciler.touch(key);
  }

  /** What an earlier agent left running is ready at once. */
  async #adopted(): Promise<void> {
    for (const { spec, replicas } of await this.#needs.provider.list()) {
      const hosted = this.#hosted.get(functionKey(spec.ref.name, spec.ref.namespace));
      if (hosted !== undefined) this.#scaler.adopt(hosted, replicas);
      // Another revision than the wanted one goes on until that is ready.
      if (hosted?.spec !== undefined) hosted.ready = true;
      // Deleted or moved while there was no agent.
      if (hosted === undefined) this.#reconciler.touch(functionKey(spec.ref.name, spec.ref.namespace));
    }
  }

  #functionChanged(key: FunctionKey): void {
    const hosted = this.#hosted.get(key);
    if (hosted !== undefined) this.#scaler.look(hosted, this.#loadOf(key));
    this.#view();
    this.#tellStatus();
    this.#replan();
  }

  #demanded({ key, inFlight }: Demand): void {
    const hosted = this.#hosted.get(key);
    if (hosted !== undefined) this.#scaler.look(hosted, { ...this.#loadOf(key), inFlight });
  }

  #membersChanged(): void {
    this.#neighbours.update(this.#needs.membership.members());
    this.#needs.peerFetch.retain(new Set(this.#neighbours.plans().map(({ id }) => id)));
    this.#teller.repeat();
    this.#nameNames();
    this.#view();
    this.#replan();
  }

  /** Once for each find. */
  #nameNames(): void {
    const { self, node, log } = this.#needs;
    const before = new Set(this.#sameNames.map(tellSameName));
    this.#sameNames = sameNames({ id: self, name: node.name }, this.#neighbours.members());
    for (const found of this.#sameNames) {
      const said = tellSameName(found);
      if (!before.has(said)) log.warn({ name: found.name, nodes: found.ids }, 'nodes of one name in the federation');
    }
  }

  #received(from: NodeId, message: Message): void {
    if (message.kind === 'status') {
      this.#heard(from, message.status);
      return;
    }
    if (message.kind === 'strategy' && message.strategy === this.#needs.strategy.name) {
      this.#strategy.received(from, message.payload);
    }
  }

  #heard(from: NodeId, status: NodeStatus): void {
    const before = this.#neighbours.status(from);
    const hint = this.#neighbours.heard(from, status, this.#needs.clock.now());
    this.#needs.dataPlane.hint([hint]);
    if (saysTheSame(before, this.#neighbours.status(from))) return;
    // Calls may wait for this.
    this.#view();
    this.#replan();
  }

  // ---- do

  #announce(): void {
    const { membership, announcement, clock } = this.#needs;
    membership.announce({ ...announcement, slots: this.#slots.steady, draining: this.#draining });
    this.#slots.announced(clock.monotonic());
  }

  #tell(to: NodeId | 'all', message: Message): void {
    const { membership, log } = this.#needs;
    const sent = to === 'all' ? membership.broadcast(message) : membership.send(to, message);
    sent.catch((error: unknown) => {
      const level = error instanceof SkeinError && error.code === 'too-large' ? 'warn' : 'debug';
      log[level]({ to, kind: message.kind, problem: messageOf(error) }, 'a message could not be sent');
    });
  }

  #asked(): readonly BundleSource[] {
    return this.#neighbours.reachable().map((peer) => ({
      name: peer.name,
      fetch: (path, signal) => this.#needs.peerFetch.fetch(peer, path, { signal }),
    }));
  }

  /** What a function or an image name means is kept, and what runs still. */
  async #sweepBundles(): Promise<void> {
    const { catalogue, provider, clock, log } = this.#needs;
    try {
      const named = new Set([
        ...catalogue.list('function/').map((record) => asFunction(record).digest),
        ...catalogue.list('image/').map((record) => asImage(record).digest),
        ...(await provider.list()).map(({ spec }) => spec.digest),
      ]);
      const removed = await this.#sweeper.sweep(named, clock.monotonic());
      if (removed.length > 0) log.info({ bundles: removed }, 'bundles that nothing names were removed');
    } catch (error) {
      log.warn({ problem: messageOf(error) }, 'bundles could not be swept');
    }
  }

  /** Many changes come together: one plan is made of them, and the next only when that one is in force. */
  #replan(): void {
    this.#replanWanted = true;
    // What is only half read yet would make a worse plan than the one in force.
    if (!this.#started) return;
    this.#replanning ??= this.#replanAll().finally(() => {
      this.#replanning = undefined;
    });
  }

  async #replanAll(): Promise<void> {
    await Promise.resolve();
    while (this.#replanWanted) {
      this.#replanWanted = false;
      this.#version += 1;
      const { self, node, maxReplicas, queueMs, timeoutMs, dataPlane, instruments, log } = this.#needs;
      const plan = composePlan({
        version: this.#version,
        node: { id: self, name: node.name },
        slots: this.#slots.inForce,
        limitOf: (key, ofReplicas) => this.#slots.limitOf(key, ofReplicas),
        draining: this.#draining,
        peers: this.#carried?.peers(this.#neighbours.plans()) ?? this.#neighbours.plans(),
        hosted: this.#hosted,
        replicas: (hosted) => this.#replicas(hosted),
        problem: (hosted) => this.#problem(hosted),
        routes: this.#carried?.routes(this.#routes) ?? this.#routes,
        homesToCome: ({ key, value }) =>
          homesToCome({ value }, this.#neighbours.members(), (id) => this.#neighbours.hasTold(id, key)),
        maxReplicas,
        queueMs,
        timeoutMs,
      });
      try {
        await dataPlane.apply(plan);
        this.#untaken = false;
        this.#inForce = plan;
        instruments.planChanged();
        this.#tellStatus();
        for (const { version, resolve } of this.#awaiting) if (version <= plan.version) resolve();
      } catch (error) {
        this.#untaken = true;
        log.warn(
          { problem: messageOf(error) },
          'the data plane did not take the plan; it gets another when it answers',
        );
      }
    }
  }
}

/** Of where functions live and fail. */
const saysTheSame = (one: Told | undefined, other: Told | undefined): boolean =>
  same(Object.keys(one?.status.functions ?? {}), new Set(Object.keys(other?.status.functions ?? {}))) &&
  same([...(one?.failing ?? [])], other?.failing ?? new Set());

const same = (one: readonly string[], other: ReadonlySet<string>): boolean =>
  one.length === other.size && one.every((name) => other.has(name));
