import type { FunctionKey } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import { decide, waitedInVain, wantsSlot, type Decision } from '../routing/decide.ts';
import { functionLive } from '../routing/live.ts';
import { calm, mayWait, observeQueue, type Patience, type QueueFacts } from '../routing/patience.ts';
import type { FunctionPlan, Plan } from '../routing/plan.ts';
import type { Call } from './call.ts';
import type { Ends } from './ends.ts';
import type { PlaneState } from './plane-state.ts';

export type WaitingCallsNeeds = {
  readonly state: PlaneState;
  readonly ends: Ends;
  /** Whether calls of this function wait for a replica of this node. */
  readonly isStarting: (key: FunctionKey) => boolean;
  /** A call has begun to wait. */
  readonly onWaiting: (key: FunctionKey) => void;
  /** There is a place for it now, or no more use in waiting; false where there is none any more. */
  readonly onDecided: (call: Call, plan: Plan, decision: Exclude<Decision, { kind: 'wait' }>) => boolean;
};

type Queue = {
  readonly calls: Call[];
  /** A slot of the node was all that its first was last found to want. */
  forSlot: boolean;
  readonly patience: Patience;
  /** Replicas were being started until just before this time (milliseconds of this process). */
  warmUntil: number;
};

/** What waits while replicas start may wait longer; and what they find when they come is worked off for so long. */
const coldMs = 10_000;
const warmMs = 4_000;

/** Calls that found no room anywhere: a queue for each function, bounded by `routing/patience.ts`. */
export class WaitingCalls {
  readonly #needs: WaitingCallsNeeds;
  readonly #state: PlaneState;
  readonly #queues = new Map<FunctionKey, Queue>();

  constructor(needs: WaitingCallsNeeds) {
    this.#needs = needs;
    this.#state = needs.state;
  }

  /** `reason` and `status` say what a refusal would. */
  wait(call: Call, function_: FunctionPlan, reason: Reason, status: number): void {
    const queue = this.#queue(call.key);
    const now = this.#state.now();
    const facts = this.#facts(call.key, function_, queue);
    observeQueue(queue.patience, facts, now);
    if (!mayWait(queue.patience, facts)) return this.#needs.ends.refuse(call, reason, status);
    call.phase = 'waiting';
    // A call that waited before and was refused elsewhere keeps its place in time.
    if (call.waitUntil === 0) {
      call.waitUntil = now + (facts.warming ? Math.max(function_.queueMs, coldMs) : function_.queueMs);
    }
    call.tried = [];
    queue.calls.push(call);
    this.#joined(call.key);
    if (queue.calls.length === 1) queue.forSlot = this.#wantsSlot(call.key, function_);
    this.#tell(call.key, queue);
    this.#needs.onWaiting(call.key);
  }

  get count(): number {
    let waiting = 0;
    for (const { calls } of this.#queues.values()) waiting += calls.length;
    return waiting;
  }

  /** Whether there is anything to look after: calls, or what is remembered of a queue. */
  get active(): boolean {
    return this.#queues.size > 0;
  }

  /**
   * Room may have come up: those that wait are decided again, each function's oldest first. `inTurn`: what came up is left to calls
   * that wait for it in other threads, and have for longer.
   */
  drain(inTurn = false): void {
    const { plan } = this.#state;
    if (plan === undefined || this.#queues.size === 0) return;
    for (const [key, queue] of this.#queues) {
      this.#drain(key, queue, inTurn);
      this.#settle(key, queue, plan.functions[key]);
    }
    // The first in the map goes last next time, so that no function always finds the others' leftovers.
    const first = this.#queues.entries().next().value;
    if (first !== undefined && this.#queues.size > 1) {
      this.#queues.delete(first[0]);
      this.#queues.set(...first);
    }
  }

  /** Refuses what has waited as long as it may. */
  expire(): void {
    const now = this.#state.now();
    for (const { calls } of this.#queues.values()) {
      for (const call of calls.filter(({ waitUntil }) => waitUntil <= now)) {
        this.remove(call);
        this.#needs.ends.refuse(call, waitedInVain(this.#state.function(call.key)), 503);
      }
    }
  }

  remove(call: Call): void {
    const queue = this.#queues.get(call.key);
    const index = queue?.calls.indexOf(call) ?? -1;
    if (index === -1 || queue === undefined) return;
    queue.calls.splice(index, 1);
    this.#left(call.key);
    this.#tell(call.key, queue);
  }

  #drain(key: FunctionKey, queue: Queue, inTurn: boolean): void {
    const { plan, live, needs, turns } = this.#state;
    while (plan !== undefined && queue.calls.length > 0) {
      const call = queue.calls[0] as Call;
      const asked = { key, now: this.#state.now(), tried: [], hops: call.hops, again: true };
      const decision = decide(plan, live, asked, needs.random);
      if (decision.kind === 'wait') {
        queue.forSlot = this.#wantsSlot(key, plan.functions[key] as FunctionPlan);
        break;
      }
      if (inTurn && decision.kind === 'serve' && !turns.isFirst(key, call.startedAt)) break;
      queue.calls.shift();
      this.#left(key);
      call.phase = 'deciding';
      if (this.#needs.onDecided(call, plan, decision)) continue;
      // Another thread was faster. It stays the first, and is looked at again when there is room, or soon.
      call.phase = 'waiting';
      queue.calls.unshift(call);
      this.#joined(key);
      break;
    }
  }

  #queue(key: FunctionKey): Queue {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { calls: [], forSlot: false, patience: calm(), warmUntil: 0 };
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #facts(key: FunctionKey, function_: FunctionPlan, queue: Queue): QueueFacts {
    const { live, plan } = this.#state;
    const slots = plan?.slots ?? 1;
    let width = function_.maxInFlight > 0 ? Math.min(function_.maxInFlight, slots) : slots;
    let starting = this.#needs.isStarting(key);
    for (const { id } of function_.peers) {
      const peer = live.peers.get(id);
      if (peer === undefined) continue;
      width += peer.slots;
      starting ||= peer.outstanding.count > 0 && peer.functions.get(key)?.replicas === 0;
    }
    const there = live.functions.get(key);
    const now = this.#state.now();
    if (starting) queue.warmUntil = now + warmMs;
    return {
      length: there?.waiting.count ?? 0,
      serviceMs: there?.serviceMs ?? 0,
      width,
      queueMs: function_.queueMs,
      warming: now < queue.warmUntil,
    };
  }

  #wantsSlot(key: FunctionKey, function_: FunctionPlan): boolean {
    const { plan, live } = this.#state;
    return plan !== undefined && wantsSlot(plan, function_, live, live.functions.get(key), this.#state.now());
  }

  #settle(key: FunctionKey, queue: Queue, function_: FunctionPlan | undefined): void {
    const now = this.#state.now();
    this.#tell(key, queue);
    if (function_ !== undefined) observeQueue(queue.patience, this.#facts(key, function_, queue), now);
    const remembers = function_ !== undefined && (queue.patience.overloaded || now < queue.warmUntil);
    if (queue.calls.length === 0 && !remembers) this.#queues.delete(key);
  }

  #joined(key: FunctionKey): void {
    functionLive(this.#state.live, key).waiting.enter(Number.POSITIVE_INFINITY);
    this.#state.turns.joined();
  }

  #left(key: FunctionKey): void {
    functionLive(this.#state.live, key).waiting.leave();
    this.#state.turns.left();
  }

  #tell(key: FunctionKey, { calls, forSlot }: Queue): void {
    this.#state.turns.tell(key, calls[0]?.startedAt, forSlot);
  }
}
