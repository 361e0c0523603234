import { nodeId, type NodeId } from '../domain/ids.ts';
import type { Random } from '../std/random.ts';
import { admit } from './admit.ts';
import { decide } from './decide.ts';
import {
  beginForward,
  beginLocal,
  beginReplica,
  endForward,
  endLocal,
  endReplica,
  functionLive,
  reported,
  type Live,
} from './live.ts';
import { formatLoad, parseLoad } from './load-header.ts';
import { calm, mayWait, observeQueue, type Patience, type QueueFacts } from './patience.ts';
import type { FunctionPlan, Plan, Policy } from './plan.ts';
import { functionPlan, key, liveOf, planOf, share } from './plans.testing.ts';

export type FederationFacts = {
  readonly nodes: readonly { readonly slots: number; readonly maxInFlight: number }[];
  readonly policy: Policy;
  readonly random: Random;
  /** One way, milliseconds, on average. */
  readonly delayMs: number;
  readonly serviceMs: () => number;
  readonly queueMs: number;
  /** The part of what nodes say of their load that is lost. */
  readonly loss: number;
};

export type Ending = 'here' | 'at a peer' | 'refused' | 'timed out';

type Request = {
  readonly ingress: Node;
  readonly at: number;
  tried: NodeId[];
  /** How often it ran, and was refused, at a peer. */
  forwards: number;
  waitUntil: number;
  endings: Ending[];
};

type Node = {
  readonly plan: Plan;
  readonly function_: FunctionPlan;
  readonly live: Live;
  readonly queue: Request[];
  readonly patience: Patience;
  ticking: boolean;
  /** Most that ever ran at once. */
  most: number;
};

const tickMs = 10;

/** A whole federation in virtual time, run by the very functions that carry requests in the data planes. */
export class Federation {
  readonly nodes: readonly Node[];
  readonly requests: Request[] = [];
  /** What happened that must never happen. */
  readonly faults: string[] = [];
  readonly #facts: FederationFacts;
  readonly #agenda = new Agenda();

  constructor(facts: FederationFacts) {
    this.#facts = facts;
    this.nodes = facts.nodes.map(({ slots, maxInFlight }, index) => {
      const peers = facts.nodes.flatMap((peer, other) => (other === index ? [] : [share(`${other}`, peer.slots)]));
      const function_ = functionPlan({ policy: facts.policy, peers, maxInFlight, queueMs: facts.queueMs });
      const plan = planOf(function_, { slots, node: { id: nodeId(`${index}`), name: `${index}` } });
      const live = liveOf(plan);
      for (const [id, peer] of live.peers) peer.slots = facts.nodes[Number(id)]?.slots ?? 0;
      return { plan, function_, live, queue: [], patience: calm(), ticking: false, most: 0 };
    });
  }

  /** A user's call at a node. */
  call(node: number, at: number): void {
    this.#agenda.add(at, () => {
      const ingress = this.nodes[node % this.nodes.length] as Node;
      const request: Request = { ingress, at, tried: [], forwards: 0, waitUntil: 0, endings: [] };
      this.requests.push(request);
      this.#route(request, false);
    });
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    while (this.#agenda.runNext()) {
      // Everything happens in there.
    }
  }

  get #now(): number {
    return this.#agenda.now;
  }

  #after(ms: number, what: () => void): void {
    this.#agenda.add(this.#now + ms, what);
  }

  #delay(): number {
    return this.#facts.delayMs * (0.5 + this.#facts.random());
  }

  #route(request: Request, again: boolean): void {
    const { ingress, tried } = request;
    const { plan, live, function_ } = ingress;
    const next = decide(plan, live, { key, now: this.#now, tried, hops: 0, again }, this.#facts.random);
    switch (next.kind) {
      case 'serve':
        return this.#serve(ingress, undefined, () => request.endings.push('here'));
      case 'forward':
        if (loadOf(ingress) < 1) this.faults.push('passed on a call that it had room for');
        request.forwards += 1;
        return this.#forward(request, next.peer);
      case 'refuse':
        request.endings.push('refused');
        return;
      case 'wait': {
        const facts = queueFacts(ingress);
        observeQueue(ingress.patience, facts, this.#now);
        if (!mayWait(ingress.patience, facts)) {
          request.endings.push('refused');
          return;
        }
        request.tried = [];
        request.waitUntil ||= this.#now + function_.queueMs;
        ingress.queue.push(request);
        this.#tick(ingress);
      }
    }
  }

  #serve(node: Node, from: NodeId | undefined, atEnd: () => void): void {
    const { live, function_, plan } = node;
    const tookMs = this.#facts.serviceMs();
    if (!beginLocal(live, plan, key, from, this.#now)) this.faults.push('found no room where there was some');
    beginReplica(function_, functionLive(live, key));
    node.most = Math.max(node.most, live.running.count);
    if (live.running.count > plan.slots) this.faults.push('ran more than its slots');
    if (function_.maxInFlight > 0 && live.running.count > function_.maxInFlight) this.faults.push('passed a bound');
    this.#after(tookMs, () => {
      // The answer, and the load it carries, leaves before the slot is free.
      atEnd();
      endReplica(functionLive(live, key), 'r', tookMs);
      endLocal(live, key, from);
      this.#drain(node);
    });
  }

  #forward(request: Request, to: NodeId): void {
    const { ingress } = request;
    const peer = this.nodes[Number(to)] as Node;
    const senderLoad = loadOf(ingress);
    beginForward(ingress.live, ingress.plan, key, to, this.#now);
    this.#after(this.#delay(), () => {
      const admission = admit(peer.plan, peer.live, ingress.plan.node.id, key, this.#now);
      if (!admission.admitted) return this.#answer(request, to, 0);
      if (loadOf(peer) >= senderLoad) this.faults.push(`flowed uphill, from ${senderLoad} to ${loadOf(peer)}`);
      this.#serve(peer, ingress.plan.node.id, () => this.#answer(request, to, 1));
    });
  }

  /** On its way back: the end of a run (`ending` 1), or a refusal. */
  #answer(request: Request, from: NodeId, ending: 0 | 1): void {
    const { ingress } = request;
    const peer = this.nodes[Number(from)] as Node;
    const lost = this.#facts.random() < this.#facts.loss;
    const load = lost ? undefined : parseLoad(formatLoad(peer.plan, peer.live, key, ending));
    this.#after(this.#delay(), () => {
      endForward(ingress.live, key, from);
      if (load !== undefined) reported(ingress.live, from, key, load, this.#now);
      if (ending === 1) request.endings.push('at a peer');
      else {
        request.tried.push(from);
        this.#route(request, true);
      }
      this.#drain(ingress);
    });
  }

  #drain(node: Node): void {
    const { plan, live, queue } = node;
    while (queue.length > 0) {
      const request = queue[0] as Request;
      const timedOut = request.waitUntil <= this.#now;
      const asked = { key, now: this.#now, tried: [], hops: 0, again: true };
      if (!timedOut && decide(plan, live, asked, this.#facts.random).kind === 'wait') break;
      queue.shift();
      if (timedOut) request.endings.push('timed out');
      else this.#route(request, true);
    }
    observeQueue(node.patience, queueFacts(node), this.#now);
  }

  #tick(node: Node): void {
    if (node.ticking) return;
    node.ticking = true;
    this.#after(tickMs, () => {
      node.ticking = false;
      this.#drain(node);
      if (node.queue.length > 0 || node.patience.overloaded) this.#tick(node);
    });
  }
}

/** By DESIGN.md's definition. */
const loadOf = ({ plan, live, function_ }: Node): number => {
  const node = live.running.count / plan.slots;
  return function_.maxInFlight > 0 ? Math.max(node, live.running.count / function_.maxInFlight) : node;
};

const queueFacts = ({ plan, live, function_, queue }: Node): QueueFacts => {
  let width = function_.maxInFlight > 0 ? Math.min(function_.maxInFlight, plan.slots) : plan.slots;
  for (const { slots } of live.peers.values()) width += slots;
  const serviceMs = live.functions.get(key)?.serviceMs ?? 0;
  return { length: queue.length, serviceMs, width, queueMs: function_.queueMs, warming: false };
};

/** What happens when, in order of time and then of asking: a binary heap. */
class Agenda {
  readonly #heap: { readonly at: number; readonly order: number; readonly what: () => void }[] = [];
  #order = 0;
  now = 1_000;

  add(at: number, what: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#order++, what });
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** False when nothing is left. */
  runNext(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) {
      heap[0] = last;
      for (let parent = 0; ;) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2])
          if (child < heap.length && this.#before(child, least)) least = child;
        if (least === parent) break;
        this.#swap(least, parent);
        parent = least;
      }
    }
    this.now = Math.max(this.now, first.at);
    first.what();
    return true;
  }

  #before(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.at === b.at ? a.order < b.order : a.at < b.at;
  }

  #swap(one: number, other: number): void {
    const held = this.#heap[one];
    this.#heap[one] = this.#heap[other] as NonNullable<typeof held>;
    this.#heap[other] = held as NonNullable<typeof held>;
  }
}
