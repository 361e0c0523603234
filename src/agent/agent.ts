import type { Demand } from '../dataplanes/data-plane.ts';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { functionKey, type FunctionKey, type NodeId } from '../domain/ids.ts';
import type { FunctionHost, PeerHost } from '../gateway/needs.ts';
import { createPeerHost } from '../gateway/peer-host.ts';
import type { Message, NodeStatus } from '../membership/message.ts';
import type { Plan, Routes } from '../routing/plan.ts';
import type { AgentNeeds } from './agent-needs.ts';
import { fetchBundle, type BundleSource } from './bundle-fetcher.ts';
import { BundleSweeper, namedBundles } from './bundle-sweeper.ts';
import { CarriedPlan } from './carried-plan.ts';
import { composePlan } from './compose-plan.ts';
import { FunctionLoads } from './function-loads.ts';
import { functionsHere } from './here.ts';
import { homesToCome } from './homes.ts';
import type { Hosted } from './hosted.ts';
import { Hosting } from './hosting.ts';
import { Measures } from './measures.ts';
import { Neighbours, type Lost } from './neighbours.ts';
import { ownStatus } from './own-status.ts';
import { Planner } from './planner.ts';
import { Rates } from './rates.ts';
import { asReached, reaches, runsHere } from './reach.ts';
import { Reconciler } from './reconciler.ts';
import { NameWatch } from './same-names.ts';
import { Scaler } from './scaler.ts';
import { Slots } from './slots.ts';
import { Starting } from './starting.ts';
import { StatusTeller } from './status-teller.ts';
import { StrategyHost } from './strategy-host.ts';
import { buildView } from './view.ts';
import { Voice } from './voice.ts';

/** How often bundles that nothing names are looked for. */
const sweepMs = 10 * 60_000;

/** How often the data plane is looked at: load, rates, replicas that nobody needs any more. */
const lookMs = 250;

/**
 * Look, decide, do: reads the data plane, the catalogue and what peers say; lets the strategy decide; tells the data plane and
 * the provider. It holds nothing that cannot be read again, so that a new one can take its place at any moment.
 */
export class Agent {
  readonly #needs: AgentNeeds;
  readonly #hosting: Hosting;
  readonly #rates = new Rates();
  readonly #neighbours = new Neighbours();
  readonly #strategy: StrategyHost;
  readonly #reconciler: Reconciler;
  readonly #scaler: Scaler;
  readonly #measures: Measures;
  readonly #teller: StatusTeller;
  readonly #sweeper: BundleSweeper;
  readonly #slots: Slots;
  readonly #loads: FunctionLoads;
  readonly #starting: Starting;
  readonly #names: NameWatch;
  readonly #voice: Voice;
  #routes: Routes = {};
  readonly #planner: Planner;
  #draining = false;
  #stopped = false;
  #carried: CarriedPlan | undefined;
  #observing = false;
  readonly #ends: (() => void)[] = [];

  constructor(needs: AgentNeeds) {
    this.#needs = needs;
    this.#hosting = new Hosting(needs);
    const { strategy, strategyPeriodMs: periodMs, clock, random, membership, provider, log } = needs;
    this.#strategy = new StrategyHost({
      strategy,
      periodMs,
      clock,
      random,
      onRoutes: (routes) => {
        this.#routes = routes;
        this.#planner.want();
      },
      send: (to, payload) => this.#voice.tell(to, { kind: 'strategy', strategy: strategy.name, payload }),
    });
    this.#reconciler = new Reconciler({
      provider,
      wanted: (key) => this.#hosted.get(key),
      fetchBundle: ({ digest }) => fetchBundle(digest, needs.bundles, this.#asked()),
      onTaken: (hosted) => this.#scaler.begin(hosted),
      onChange: (key) => this.#functionChanged(key),
      clock,
      log,
    });
    const { maxReplicas, idleMs, keptScale: kept, queued } = needs;
    this.#scaler = new Scaler({ provider, clock, log, kept, maxReplicas, idleMs });
    this.#measures = new Measures({ provider, queued, clock });
    this.#sweeper = new BundleSweeper(needs.bundles);
    this.#slots = new Slots({ slots: needs.slots, measured: needs.measuredSlots });
    this.#loads = new FunctionLoads({
      hosted: () => this.#hosted,
      rates: this.#rates,
      slots: this.#slots,
      measures: this.#measures,
      cores: needs.cores,
    });
    this.#starting = new Starting({ provider, neighbours: this.#neighbours });
    this.#names = new NameWatch({ self: { id: needs.self, name: needs.node.name }, log });
    this.#voice = new Voice({ membership, announcement: needs.announcement, slots: this.#slots, clock, log });
    this.#planner = new Planner({
      dataPlane: needs.dataPlane,
      clock,
      log,
      compose: (version) => this.#compose(version),
      onTaken: () => {
        needs.instruments.planChanged();
        this.#tellStatus();
      },
    });
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
    const carried = await dataPlane.carried();
    this.#planner.adopt(found.planVersion, carried);
    this.#carryOn(carried);
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
    this.#voice.announce(this.#draining);
    await this.#look();
    await this.#planner.begin();
  }

  /** Tells the others and the data plane that nothing new is to come here. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#voice.announce(this.#draining);
    this.#planner.want();
    await this.#planner.settled();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#ends.splice(0)) end();
    this.#planner.stop();
    this.#strategy.stop();
    await this.#reconciler.stop();
    await this.#planner.settled();
    await this.#needs.keptScale.written();
  }

  get #hosted(): ReadonlyMap<FunctionKey, Hosted> {
    return this.#hosting.functions;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** What is wrong with the federation, in sentences for people. */
  get problems(): readonly string[] {
    return this.#names.problems;
  }

  /**
   * Resolves when a plan that is made from now on is in force, or after a while when the data plane takes none. Replicas
   * that leave wait for it: until then calls go to them.
   */
  inForce(): Promise<void> {
    return this.#planner.renewed();
  }

  get planVersion(): number {
    return this.#planner.version;
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
    return [...this.#hosted.values()].filter(
      (one) => this.#starting.isHere(one) && runsHere(this.#planner.inForce, one.key),
    );
  }

  /** This node, as one of those that run functions. */
  here(): FunctionHost {
    return functionsHere({
      id: this.#needs.self,
      name: this.#needs.node.name,
      hosted: this.#hosted,
      provider: this.#needs.provider,
      scaler: this.#scaler,
      rates: this.#rates,
      measures: this.#measures,
      inForce: () => this.#planner.inForce,
    });
  }

  /** The peers that can be asked now, and those that fell silent of late, which answer nothing. */
  peerHosts(): readonly PeerHost[] {
    const there = this.#neighbours.reachable().map((peer) => {
      const host = createPeerHost(peer, (path, init) => this.#needs.peerFetch.fetch(peer, path, init));
      return asReached(host, (key) => reaches(this.#planner.inForce, key, peer.id));
    });
    return [...there, ...this.#neighbours.lost().map(lostHost)];
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
    this.#planner.want();
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
    this.#planner.want();
  }

  #lookAtLoad(): void {
    const { instruments, clock } = this.#needs;
    this.#planner.answered();
    if (this.#slots.areNews(clock.monotonic())) this.#voice.announce(this.#draining);
    const now = clock.now();
    this.#measures.look(this.#hosted).catch((error: unknown) => {
      this.#needs.log.debug({ problem: messageOf(error) }, 'functions could not be measured');
    });
    for (const hosted of this.#hosted.values()) {
      this.#scaler.look(hosted, this.#loads.of(hosted.key));
    }
    this.#tellStatus();
    instruments.replicas(
      [...this.#hosted.values()].map((hosted) => [hosted.key, this.#starting.replicas(hosted).length]),
    );
    instruments.viewAges(
      this.#neighbours.members().flatMap(({ id, announcement, lastSeen }) => {
        const at = Math.max(lastSeen, this.#neighbours.status(id)?.at ?? 0);
        return announcement === undefined ? [] : [[announcement.name, Math.max(0, now - at) / 1000] as const];
      }),
    );
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
        replicas: (hosted) => this.#starting.replicas(hosted).length,
        here: (hosted) => this.#starting.isHere(hosted),
        now: clock.now(),
      }),
    );
  }

  #tellStatus(): void {
    this.#teller.look(
      ownStatus({
        latest: this.#rates.latest,
        slots: this.#slots,
        hosted: this.#hosted,
        ready: this.#ready(),
        starting: this.#starting,
        maxReplicas: this.#needs.maxReplicas,
      }),
    );
  }

  // ---- what changes

  #catalogueChanged(changed: readonly string[]): void {
    const touched = this.#hosting.update(changed);
    for (const key of touched) this.#reconciler.touch(key);
    if (touched.size === 0) return;
    this.#scaler.forget(this.#hosted);
    this.#view();
    this.#planner.want();
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
    if (hosted !== undefined) this.#scaler.look(hosted, this.#loads.of(key));
    this.#view();
    this.#tellStatus();
    this.#planner.want();
  }

  #demanded({ key, inFlight }: Demand): void {
    const hosted = this.#hosted.get(key);
    if (hosted !== undefined) this.#scaler.look(hosted, { ...this.#loads.of(key), inFlight });
  }

  #membersChanged(): void {
    this.#neighbours.update(this.#needs.membership.members());
    this.#needs.peerFetch.retain(new Set(this.#neighbours.plans().map(({ id }) => id)));
    this.#teller.repeat();
    this.#names.look(this.#neighbours.members());
    this.#view();
    this.#planner.want();
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
    const { hint, moved } = this.#neighbours.heard(from, status, this.#needs.clock.now());
    this.#needs.dataPlane.hint([hint]);
    if (!moved) return;
    // Calls may wait for this.
    this.#view();
    this.#planner.want();
  }

  // ---- do

  #asked(): readonly BundleSource[] {
    return this.#neighbours.reachable().map((peer) => ({
      name: peer.name,
      fetch: (path, signal) => this.#needs.peerFetch.fetch(peer, path, { signal }),
    }));
  }

  async #sweepBundles(): Promise<void> {
    const { catalogue, provider, clock, log } = this.#needs;
    try {
      const removed = await this.#sweeper.sweep(await namedBundles(catalogue, provider), clock.monotonic());
      if (removed.length > 0) log.info({ bundles: removed }, 'bundles that nothing names were removed');
    } catch (error) {
      log.warn({ problem: messageOf(error) }, 'bundles could not be swept');
    }
  }

  #compose(version: number): Plan {
    const { self, node, maxReplicas, queueMs, timeoutMs } = this.#needs;
    return composePlan({
      version,
      node: { id: self, name: node.name },
      slots: this.#slots.inForce,
      limitOf: (key, ofReplicas) => this.#slots.limitOf(key, ofReplicas),
      draining: this.#draining,
      peers: this.#carried?.peers(this.#neighbours.plans()) ?? this.#neighbours.plans(),
      hosted: this.#hosted,
      replicas: (hosted) => this.#starting.replicas(hosted),
      problem: (hosted) => this.#starting.problem(hosted),
      routes: this.#carried?.routes(this.#routes) ?? this.#routes,
      homesToCome: ({ key, value }) =>
        homesToCome({ value }, this.#neighbours.members(), (id) => this.#neighbours.hasTold(id, key)),
      maxReplicas,
      queueMs,
      timeoutMs,
    });
  }
}

const lostHost = (peer: Lost): PeerHost =>
  createPeerHost(peer, () => Promise.reject(new SkeinError('unavailable', `${peer.name} fell silent`)));
