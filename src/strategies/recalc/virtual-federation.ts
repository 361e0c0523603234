import { functionKey, nodeId } from '../../domain/ids.ts';
import type { NodeId } from '../../domain/ids.ts';
import type { Limit, Route, Routes } from '../../routing/plan.ts';
import type { FunctionView, StrategyEffect, StrategyEvent, View } from '../strategy.ts';
import type { Limits, RecalcMessage } from './message.ts';
import { recalc } from './recalc.ts';
import type { RecalcState } from './state.ts';

/** Nodes that run Recalc and hear each other without delay, in virtual time, with steady streams for requests. */

export const fn = functionKey('burn');

export type NodeSetup = {
  readonly userRate: number;
  /** Absent: the function does not live there; null: it has no label. */
  readonly maxRate?: number | null;
  readonly slots?: number;
  readonly serviceMs?: number;
};

export type Served = {
  readonly local: number;
  readonly forwarded: { readonly [to: string]: number };
  readonly lost: number;
};

type Node = { setup: NodeSetup; alive: boolean; state: RecalcState; routes: Routes; wakeAt: number };

export class Federation {
  readonly #nodes = new Map<NodeId, Node>();
  readonly #periodMs: number;
  readonly #lies = new Map<string, RecalcMessage>();
  #now: number;

  constructor(periodMs: number, startMs: number, setups: { readonly [name: string]: NodeSetup }) {
    this.#periodMs = periodMs;
    this.#now = startMs;
    for (const [name, setup] of Object.entries(setups)) this.set(name, setup);
    for (const [id, node] of this.#nodes) node.state = recalc.start(this.#view(id, node), { periodMs });
    this.#round();
  }

  /** Changes how a node is used. */
  set(name: string, setup: NodeSetup): void {
    const id = nodeId(name);
    const before = this.#nodes.get(id);
    if (before !== undefined) before.setup = setup;
    else
      this.#nodes.set(id, {
        setup,
        alive: true,
        state: recalc.start(noView(id), { periodMs: this.#periodMs }),
        routes: {},
        wakeAt: Infinity,
      });
  }

  /** From now on it neither sends nor sees; its peers go on listing it. */
  kill(name: string): void {
    this.#node(name).alive = false;
  }

  /** Sets all clocks. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** From now on the offers of `from` to `to` are these, whatever it has. */
  lie(from: string, to: string, limits: Limits): void {
    this.#lies.set(`${from} ${to}`, { to: nodeId(to), limits });
  }

  state(name: string): RecalcState {
    return this.#node(name).state;
  }

  route(name: string): Route {
    const route = this.#node(name).routes[fn];
    if (route === undefined) throw new Error(`${name} has no route`);
    return route;
  }

  /** Moves time on by `periods`, looking twenty times a period. */
  run(periods: number, each: () => void = () => {}): void {
    for (let turn = 0; turn < Math.round(periods * 20); turn += 1) {
      this.#now += this.#periodMs / 20;
      this.#round();
      each();
    }
  }

  /** Where the users' requests of `name` end, per second, by its routes and the admission of its peers. */
  served(name: string): Served {
    const { setup } = this.#node(name);
    const route = this.route(name);
    const local = Math.min(setup.userRate, bound(route.local.limit));
    const excess = setup.userRate - local;
    const total = route.peers.reduce((sum, peer) => sum + peer.weight, 0);
    const forwarded = Object.fromEntries(
      route.peers.map((peer) => {
        const sent = Math.min((excess * peer.weight) / total, bound(peer.limit));
        return [peer.id, Math.min(sent, this.#admits(peer.id, nodeId(name)))];
      }),
    );
    return { local, forwarded, lost: excess - Object.values(forwarded).reduce((sum, rate) => sum + rate, 0) };
  }

  /** What a node lets in from all peers together, requests per second. */
  admitted(name: string): number {
    return Object.values(this.route(name).admission.peers).reduce((sum, limit) => sum + bound(limit), 0);
  }

  #admits(at: NodeId, from: NodeId): number {
    if (!this.#node(at).alive) return 0;
    const { peers, others } = this.route(at).admission;
    return bound(peers[from] ?? others);
  }

  #round(): void {
    const living = [...this.#nodes].filter(([, node]) => node.alive);
    const sent = living.flatMap(([id, node]) => {
      const woken: StrategyEvent[] = node.wakeAt <= this.#now ? [{ kind: 'woken', name: 'step' }] : [];
      return [...woken, { kind: 'viewed' as const, view: this.#view(id, node) }].flatMap((event) =>
        this.#step(node, event).flatMap((effect) => (effect.kind === 'send' ? [{ ...effect, from: id }] : [])),
      );
    });
    for (const { from, to, message } of sent) {
      const node = this.#nodes.get(to as NodeId);
      if (node?.alive === true)
        this.#step(node, { kind: 'received', from, message: this.#lies.get(`${from} ${to}`) ?? message });
    }
  }

  #step(node: Node, event: StrategyEvent): readonly StrategyEffect[] {
    const { state, effects } = recalc.step(node.state, event, { now: this.#now, random: () => 0 });
    node.state = state;
    for (const effect of effects) {
      if (effect.kind === 'route') node.routes = effect.routes;
      if (effect.kind === 'wake') node.wakeAt = effect.at;
    }
    return effects;
  }

  #node(name: string): Node {
    const node = this.#nodes.get(nodeId(name));
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node;
  }

  #view(self: NodeId, { setup }: Node): View {
    const others = [...this.#nodes].filter(([id]) => id !== self);
    return {
      ...noView(self),
      slots: setup.slots ?? 8,
      functions: { [fn]: functionView(setup) },
      peers: others.map(([id, peer]) => ({
        id,
        functions: peer.setup.maxRate === undefined ? [] : [fn],
        slots: 8,
        inFlight: 0,
        rttMs: 1,
        ageMs: 0,
      })),
    };
  }
}

export const functionView = ({ userRate, maxRate, serviceMs = 0 }: NodeSetup): FunctionView => ({
  here: maxRate !== undefined,
  ...(typeof maxRate === 'number' ? { maxRate } : {}),
  userRate,
  localRate: 0,
  peerRates: {},
  inFlight: 0,
  serviceMs,
  rejectedPerSecond: 0,
  replicas: 1,
});

const noView = (self: NodeId): View => ({ self, slots: 8, inFlight: 0, functions: {}, peers: [] });

const bound = (limit: Limit | undefined): number =>
  limit === undefined ? Infinity : limit.kind === 'rate' ? limit.perSecond : limit.count;
