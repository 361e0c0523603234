import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import type { PlaneInstruments } from '../telemetry/plane-instruments.ts';
import { admit } from '../routing/admit.ts';
import { decide } from '../routing/decide.ts';
import {
  answered,
  beginForward,
  beginLocal,
  beginReplica,
  closed,
  emptyLive,
  endForward,
  endLocal,
  endReplica,
  failed,
  functionLive,
  peerLive,
  pickReplica,
  prune,
  reported,
  type Live,
} from '../routing/live.ts';
import { formatLoad, parseLoad } from '../routing/load-header.ts';
import { calm, mayWait, observeQueue, type Patience, type QueueFacts } from '../routing/patience.ts';
import type { FunctionPlan, PeerPlan, Plan, ReplicaPlan } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { Log } from '../telemetry/log.ts';
import type { Demand, FunctionObservation, Observation, PeerFunctionHint, PeerHint } from './data-plane.ts';
import { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { returnable, valueOf, type RawHeaders } from './headers.ts';
import type { PeerClients, PeerFailure } from './peer-clients.ts';
import { notRun, refuse } from './refusals.ts';
import type { ReplicaClients } from './replica-clients.ts';

export type PlaneNeeds = {
  readonly replicas: ReplicaClients;
  readonly peers: PeerClients;
  readonly instruments: PlaneInstruments;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onDemand: (demand: Demand) => void;
};

type Waiting = {
  readonly calls: Call[];
  readonly patience: Patience;
  /** Replicas were being started until just before this time (milliseconds of this process). */
  warmUntil: number;
};

type Counts = {
  entered: number;
  served: number;
  readonly received: Record<NodeId, number>;
  readonly forwarded: Record<NodeId, number>;
  readonly rejected: Partial<Record<Reason, number>>;
};

/** How often queues are looked at while something waits: for rates that refill, peers that empty, and time that runs out. */
const tickMs = 10;

/** How long a call that has room may wait for a replica to start. */
const startMs = 30_000;

/** What waits while replicas start may wait longer; and what they find when they come is worked off for so long. */
const coldMs = 10_000;
const warmMs = 4_000;

/** A replica that refused a connection is not tried again for this long, unless a new plan comes. */
const brokenMs = 250;

/** A peer that refused for a reason its load does not show is not asked again for this long. */
const closedMs = 250;

/**
 * Carries out plans: the one place where a decision of `routing/` becomes a request on its way. It holds the state that
 * those decisions read, the queues, and the counters.
 */
export class Plane {
  readonly #needs: PlaneNeeds;
  readonly #live: Live = emptyLive();
  readonly #since: number;
  readonly #waiting = new Map<FunctionKey, Waiting>();
  readonly #holding = new Map<FunctionKey, Call[]>();
  readonly #counts = new Map<FunctionKey, Counts>();
  /** Replicas that refused a connection, and until when they are left alone (milliseconds of this process). */
  readonly #broken = new Map<string, number>();
  readonly #demanded = new Set<FunctionKey>();
  #peers = new Map<NodeId, PeerPlan>();
  #plan: Plan | undefined;
  #draining = false;
  #open = 0;
  #stopTicking: (() => void) | undefined;

  constructor(needs: PlaneNeeds) {
    this.#needs = needs;
    this.#since = needs.clock.now();
  }

  get plan(): Plan | undefined {
    return this.#plan;
  }

  apply(plan: Plan): void {
    if (this.#plan !== undefined && plan.version < this.#plan.version) return;
    this.#plan = usable(this.#draining ? { ...plan, draining: true } : plan);
    this.#broken.clear();
    this.#peers = new Map(plan.peers.map((peer) => [peer.id, peer]));
    for (const peer of plan.peers) {
      const live = peerLive(this.#live, peer.id);
      if (live.slots === 0) live.slots = peer.slots;
      live.rttMs = peer.rttMs;
    }
    const keys = new Set(Object.keys(plan.functions) as FunctionKey[]);
    prune(this.#live, keys, new Set(this.#peers.keys()));
    for (const key of this.#counts.keys())
      if (!keys.has(key) && !this.#live.functions.has(key)) this.#counts.delete(key);
    this.#needs.instruments.retain(keys);
    this.#needs.peers.retain(new Set(this.#peers.keys()));
    for (const peer of plan.peers) this.#needs.peers.warm(peer);
    this.#needs.replicas.retain(
      new Set(Object.values(plan.functions).flatMap(({ replicas }) => replicas.map(({ id }) => id))),
    );
    for (const key of [...this.#holding.keys()]) this.#resumeHeld(key);
    this.#drain();
  }

  /** Takes no more calls, whatever later plans say; what waits for room is passed on or refused. */
  drain(): void {
    this.#draining = true;
    if (this.#plan !== undefined) this.apply(this.#plan);
  }

  /** Ends what it does by itself; call it when nothing comes any more. */
  close(): void {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  hint(hints: readonly PeerHint[]): void {
    const now = this.#now();
    for (const hint of hints) {
      if (!this.#peers.has(hint.id)) continue;
      reported(this.#live, hint.id, undefined, hint, now);
      for (const [key, there] of Object.entries(hint.functions) as [FunctionKey, PeerFunctionHint][]) {
        if (this.#plan?.functions[key] !== undefined)
          reported(this.#live, hint.id, key, { ...hint, function: there }, now);
      }
    }
    this.#drain();
  }

  /** The head of a call is here: its time runs, and it may leave. `enter` or `receive` follows, once its body may be used. */
  begin(call: Call): void {
    const counts = this.#counted(call.key);
    if (call.from === undefined) counts.entered += 1;
    else counts.received[call.from] = (counts.received[call.from] ?? 0) + 1;
    const timeoutMs = this.#plan?.functions[call.key]?.timeoutMs ?? 60_000;
    call.deadline = setTimeout(() => this.#expire(call), timeoutMs);
    if (call.from === undefined) this.#metered(call);
    this.#open += 1;
    call.response.once('close', () => {
      this.#open -= 1;
      this.#left(call);
    });
  }

  /** A call that this node's own user made. */
  enter(call: Call): void {
    this.#route(call, false);
  }

  /** A call that a peer sent. */
  receive(call: Call, from: NodeId): void {
    const plan = this.#plan;
    if (call.ended) return;
    if (plan === undefined) return this.refuseUncounted(call, 'no-replica', 503);
    const admission = admit(plan, this.#live, from, call.key, this.#now());
    if (!admission.admitted) return this.#refuse(call, admission.reason, admission.status);
    // Also where the body waits for its own word: that comes once there is a replica, which may take a start.
    call.response.writeProcessing();
    this.#metered(call);
    this.#serve(call, plan.functions[call.key] as FunctionPlan);
  }

  /** A call for a name that no plan knows. */
  refuseUnknown(call: Call): void {
    this.#needs.instruments.unknownFunction();
    this.refuseUncounted(call, 'unknown-function', 404);
  }

  knows(key: FunctionKey): boolean {
    return this.#plan?.functions[key] !== undefined;
  }

  peerByKey(publicKey: string): PeerPlan | undefined {
    return this.#plan?.peers.find((peer) => peer.publicKey === publicKey);
  }

  /** Calls that are not answered to the last byte. */
  get open(): number {
    return this.#open;
  }

  /** Invocations running or waiting, here or at peers. */
  get busy(): number {
    let waiting = 0;
    for (const { calls } of this.#waiting.values()) waiting += calls.length;
    let outstanding = 0;
    for (const peer of this.#live.peers.values()) outstanding += peer.outstanding;
    return this.#live.inFlight + waiting + outstanding;
  }

  load(key: FunctionKey | undefined, ending = 0): string | undefined {
    return this.#plan === undefined ? undefined : formatLoad(this.#plan, this.#live, key, ending);
  }

  observe(): Observation {
    const functions: Record<FunctionKey, FunctionObservation> = {};
    for (const [key, counts] of this.#counts) {
      const live = functionLive(this.#live, key);
      const { entered, served, received, forwarded, rejected } = counts;
      const { inFlight, queued, serviceMs } = live;
      functions[key] = { inFlight, queued, entered, served, received, forwarded, rejected, serviceMs };
    }
    const peers = Object.fromEntries(
      [...this.#live.peers].map(([id, { rttMs, inFlight, slots, outstanding }]) => [
        id,
        { rttMs, inFlight, slots, outstanding },
      ]),
    );
    return {
      at: this.#needs.clock.now(),
      since: this.#since,
      planVersion: this.#plan?.version ?? 0,
      inFlight: this.#live.inFlight,
      queued: [...this.#waiting.values()].reduce((sum, { calls }) => sum + calls.length, 0),
      functions,
      peers,
    };
  }

  /** Refuses what never became a call of a known function. */
  refuseUncounted(call: Call, reason: Reason, status: number): void {
    if (call.ended) return;
    call.phase = 'ended';
    clearTimeout(call.deadline);
    if (call.response.headersSent) {
      call.response.destroy();
      return;
    }
    refuse(call.response, {
      status,
      reason,
      subject: call.key,
      node: this.#plan?.node.name ?? '',
      callId: call.callId,
      load: call.from === undefined ? undefined : this.load(call.key),
    });
  }

  #route(call: Call, again: boolean): void {
    if (call.ended) return;
    const plan = this.#plan;
    if (plan === undefined) return this.refuseUncounted(call, 'no-replica', 503);
    const { key, tried, hops } = call;
    const decision = decide(plan, this.#live, { key, now: this.#now(), tried, hops, again }, this.#needs.random);
    const function_ = plan.functions[key];
    switch (decision.kind) {
      case 'serve':
        return this.#serve(call, function_ as FunctionPlan);
      case 'forward':
        return this.#forward(call, function_ as FunctionPlan, decision.peer);
      case 'wait':
        return this.#wait(call, function_ as FunctionPlan, decision.reason, decision.status);
      case 'refuse':
        return this.#refuse(call, decision.reason, decision.status);
    }
  }

  /** Of this process: what is remembered by it does not outlive it, and a clock that is set must not stir it. */
  #now(): number {
    return this.#needs.clock.monotonic();
  }

  #metered(call: Call): void {
    call.metered = true;
    this.#needs.instruments.meter(call.key).started();
  }

  // ---- here

  #serve(call: Call, function_: FunctionPlan): void {
    beginLocal(this.#live, call.key, function_, call.from, this.#now());
    this.#run(call);
  }

  /** The call has room; finds it a replica, or keeps it until there is one. */
  #run(call: Call): void {
    const function_ = this.#plan?.functions[call.key];
    if (function_ === undefined) {
      endLocal(this.#live, call.key, call.from);
      return this.#refuse(call, 'unknown-function', 404);
    }
    const usable = this.#broken.size === 0 ? function_ : this.#withoutBroken(function_);
    const replica = pickReplica(usable, functionLive(this.#live, call.key));
    if (replica === undefined) return this.#hold(call);
    this.#dispatch(call, replica);
  }

  #hold(call: Call): void {
    call.phase = 'holding';
    if (call.holdUntil === 0) call.holdUntil = this.#now() + startMs;
    const held = this.#holding.get(call.key);
    if (held === undefined) this.#holding.set(call.key, [call]);
    else held.push(call);
    this.#demand(call.key);
    this.#tick();
  }

  #resumeHeld(key: FunctionKey): void {
    const held = this.#holding.get(key);
    if (held === undefined) return;
    this.#holding.delete(key);
    for (const call of held) if (!call.ended) this.#run(call);
  }

  #dispatch(call: Call, replica: ReplicaPlan): void {
    const { clock } = this.#needs;
    const function_ = functionLive(this.#live, call.key);
    const answer = new Answer(call.response);
    const begunAt = clock.monotonic();
    call.phase = 'running';
    beginReplica(function_, replica.id);
    const over = (ok: boolean): void => {
      endReplica(function_, replica.id, ok ? clock.monotonic() - begunAt : undefined);
    };
    const release = (): void => endLocal(this.#live, call.key, call.from);

    this.#needs.replicas.send(replica, call, this.#requestHeaders(call), {
      head: (status, raw) => {
        if (call.ended) return;
        const headers = this.#answerHeaders(call, returnable(raw, false), true);
        answer.head(status, headers, lengthOf(raw, call.request.method, status));
      },
      data: (chunk, resume) => call.ended || answer.data(chunk, resume),
      end: () => {
        over(true);
        release();
        this.#counted(call.key).served += 1;
        if (!call.ended) {
          this.#finish(call, call.response.statusCode);
          answer.end();
        }
        this.#freed(call.key);
      },
      fail: (error, sent) => {
        over(false);
        if (!call.ended && !answer.begun && !sent) {
          // Nobody listened: another replica may, and the agent hears of it from the demand.
          const { message } = error;
          this.#needs.log.warn({ function: call.key, replica: replica.id, error: message }, 'replica unreachable');
          this.#broken.set(replica.id, this.#now() + brokenMs);
          this.#run(call);
          return;
        }
        if (!call.ended && !answer.begun && this.#wasDropped(call, replica)) {
          // It closed a connection that it thought idle, in the moment in which the call was put on it.
          this.#run(call);
          return;
        }
        release();
        if (!call.ended) {
          if (answer.begun) this.#breakOff(call, answer);
          else this.#refuse(call, 'function-failed', 502);
        }
        this.#freed(call.key);
      },
    });
  }

  /** The replica is not in the plan any more, so it was told to go; and the call can be told whole to another. */
  #wasDropped(call: Call, replica: ReplicaPlan): boolean {
    const present = this.#plan?.functions[call.key]?.replicas.some(({ id }) => id === replica.id) ?? false;
    return !present && call.body.kind !== 'stream';
  }

  // ---- at a peer

  #forward(call: Call, function_: FunctionPlan, to: NodeId): void {
    const peer = this.#peers.get(to) as PeerPlan;
    const answer = new Answer(call.response);
    call.phase = 'running';
    beginForward(this.#live, call.key, function_, to, this.#now());
    let refused = false;

    this.#needs.peers.send(peer, call, this.#forwardHeaders(call), {
      accepted: () => {
        answered(this.#live, to);
        const counts = this.#counted(call.key);
        counts.forwarded[to] = (counts.forwarded[to] ?? 0) + 1;
        this.#needs.instruments.meter(call.key).forwarded(peer.name);
      },
      head: (status, raw) => {
        answered(this.#live, to);
        const load = parseLoad(valueOf(raw, 'x-skein-load'));
        if (load !== undefined) reported(this.#live, to, call.key, load, this.#now());
        const reason = valueOf(raw, 'x-skein-reason');
        const notRunThere = reason !== undefined && notRun.has(reason);
        if (notRunThere && reason !== 'full') closed(this.#live, to, call.key, this.#now() + closedMs);
        // Of a long body some is gone once it was begun: then the refusal is the answer.
        refused = notRunThere && !(call.body.kind === 'stream' && call.bodyBegun);
        if (refused) return;
        if (call.ended) return;
        const headers = this.#answerHeaders(call, returnable(raw, true), false);
        answer.head(status, headers, lengthOf(raw, call.request.method, status));
      },
      data: (chunk, resume) => refused || call.ended || answer.data(chunk, resume),
      end: () => {
        endForward(this.#live, call.key, to);
        if (refused) return this.#again(call, to);
        if (!call.ended) {
          this.#finish(call, call.response.statusCode);
          answer.end();
        }
        this.#drain();
      },
      fail: (failure) => {
        endForward(this.#live, call.key, to);
        this.#peerFailed(call, to, failure, answer);
      },
    });
  }

  #peerFailed(call: Call, to: NodeId, failure: PeerFailure, answer: Answer): void {
    if (failure !== 'broken') failed(this.#live, to, this.#now());
    if (call.ended) return this.#drain();
    // Once for each time that a peer falls silent: calls come by the thousand.
    const level = peerLive(this.#live, to).failures === 1 ? 'warn' : 'debug';
    this.#needs.log[level]({ peer: to, function: call.key, failure }, 'forwarding failed');
    if (answer.begun) this.#breakOff(call, answer);
    else if (failure === 'not-taken') return this.#again(call, to);
    else if (failure === 'silent') this.#refuse(call, 'timeout', 504);
    else this.#refuse(call, 'function-failed', 502);
    this.#drain();
  }

  #again(call: Call, refusedBy: NodeId): void {
    call.tried.push(refusedBy);
    call.phase = 'deciding';
    call.cancel = undefined;
    this.#route(call, true);
  }

  // ---- queues

  #wait(call: Call, function_: FunctionPlan, reason: Reason, status: number): void {
    const queue = this.#queue(call.key);
    const now = this.#now();
    const facts = this.#facts(call.key, function_, queue);
    observeQueue(queue.patience, facts, now);
    if (!mayWait(queue.patience, facts)) return this.#refuse(call, reason, status);
    call.phase = 'waiting';
    // A call that waited before and was refused elsewhere keeps its place in time.
    if (call.waitUntil === 0) {
      call.waitUntil = now + (facts.warming ? Math.max(function_.queueMs, coldMs) : function_.queueMs);
    }
    call.tried = [];
    queue.calls.push(call);
    functionLive(this.#live, call.key).queued = queue.calls.length;
    this.#demand(call.key);
    this.#tick();
  }

  #queue(key: FunctionKey): Waiting {
    let queue = this.#waiting.get(key);
    if (queue === undefined) {
      queue = { calls: [], patience: calm(), warmUntil: 0 };
      this.#waiting.set(key, queue);
    }
    return queue;
  }

  #facts(key: FunctionKey, function_: FunctionPlan, queue: Waiting): QueueFacts {
    const slots = this.#plan?.slots ?? 1;
    let width = function_.maxInFlight > 0 ? Math.min(function_.maxInFlight, slots) : slots;
    let starting = this.#holding.has(key);
    for (const { id } of function_.peers) {
      const peer = this.#live.peers.get(id);
      if (peer === undefined) continue;
      width += peer.slots;
      starting ||= peer.outstanding > 0 && peer.functions.get(key)?.replicas === 0;
    }
    const now = this.#now();
    if (starting) queue.warmUntil = now + warmMs;
    return {
      length: queue.calls.length,
      serviceMs: this.#live.functions.get(key)?.serviceMs ?? 0,
      width,
      queueMs: function_.queueMs,
      warming: now < queue.warmUntil,
    };
  }

  /** Room may have come up: those that wait are decided again, each function's oldest first. */
  #drain(): void {
    const plan = this.#plan;
    if (plan === undefined || this.#waiting.size === 0) return;
    for (const [key, queue] of this.#waiting) {
      const function_ = plan.functions[key];
      while (queue.calls.length > 0) {
        const call = queue.calls[0] as Call;
        const { hops } = call;
        const asked = { key, now: this.#now(), tried: [], hops, again: true };
        const next = decide(plan, this.#live, asked, this.#needs.random);
        if (next.kind === 'wait') break;
        queue.calls.shift();
        functionLive(this.#live, key).queued = queue.calls.length;
        call.phase = 'deciding';
        if (next.kind === 'refuse' || function_ === undefined) {
          this.#refuse(
            call,
            next.kind === 'refuse' ? next.reason : 'unknown-function',
            next.kind === 'refuse' ? next.status : 404,
          );
        } else if (next.kind === 'serve') this.#serve(call, function_);
        else this.#forward(call, function_, next.peer);
      }
      this.#settleQueue(key, queue, function_);
    }
    // The first in the map goes last next time, so that no function always finds the others' leftovers.
    const first = this.#waiting.entries().next().value;
    if (first !== undefined && this.#waiting.size > 1) {
      this.#waiting.delete(first[0]);
      this.#waiting.set(...first);
    }
  }

  #settleQueue(key: FunctionKey, queue: Waiting, function_: FunctionPlan | undefined): void {
    if (function_ !== undefined) observeQueue(queue.patience, this.#facts(key, function_, queue), this.#now());
    const remembers = function_ !== undefined && (queue.patience.overloaded || this.#now() < queue.warmUntil);
    if (queue.calls.length === 0 && !remembers) this.#waiting.delete(key);
  }

  #freed(key: FunctionKey): void {
    if (this.#holding.has(key)) this.#resumeHeld(key);
    this.#drain();
  }

  #tick(): void {
    this.#stopTicking ??= this.#needs.clock.every(tickMs, () => {
      const now = this.#now();
      for (const { calls } of this.#waiting.values()) {
        for (const call of calls.filter(({ waitUntil }) => waitUntil <= now)) {
          this.#unqueue(call);
          this.#refuse(call, 'queue-timeout', 503);
        }
      }
      for (const calls of [...this.#holding.values()]) {
        for (const call of calls.filter(({ holdUntil }) => holdUntil <= now)) {
          this.#unhold(call);
          endLocal(this.#live, call.key, call.from);
          this.#refuse(call, 'no-replica', 503);
        }
      }
      for (const key of [...this.#holding.keys()]) this.#resumeHeld(key);
      this.#drain();
      if (this.#waiting.size > 0 || this.#holding.size > 0) return;
      this.#stopTicking?.();
      this.#stopTicking = undefined;
    });
  }

  #demand(key: FunctionKey): void {
    if (this.#demanded.has(key)) return;
    this.#demanded.add(key);
    // Calls that come in the same turn are told of once.
    setImmediate(() => {
      this.#demanded.delete(key);
      const live = functionLive(this.#live, key);
      if (live.inFlight + live.queued > 0) this.#needs.onDemand({ key, inFlight: live.inFlight + live.queued });
    });
  }

  // ---- ends

  #refuse(call: Call, reason: Reason, status: number): void {
    if (call.ended) return;
    const counts = this.#counted(call.key);
    counts.rejected[reason] = (counts.rejected[reason] ?? 0) + 1;
    if (this.knows(call.key)) {
      const meter = this.#needs.instruments.meter(call.key);
      meter.rejected(reason);
      if (call.metered) meter.finished(status, (this.#needs.clock.monotonic() - call.startedAt) / 1000);
    }
    this.refuseUncounted(call, reason, status);
  }

  #finish(call: Call, status: number): void {
    call.phase = 'ended';
    clearTimeout(call.deadline);
    if (!call.metered || !this.knows(call.key)) return;
    this.#needs.instruments.meter(call.key).finished(status, (this.#needs.clock.monotonic() - call.startedAt) / 1000);
  }

  #breakOff(call: Call, answer: Answer): void {
    this.#finish(call, 502);
    answer.abandon();
  }

  /** Time ran out, wherever the call is. */
  #expire(call: Call): void {
    if (call.ended) return;
    this.#withdraw(call, new Error('the time of this call ran out'), () => {
      if (call.response.headersSent) {
        this.#finish(call, 504);
        call.response.destroy();
      } else this.#refuse(call, 'timeout', 504);
    });
  }

  /** The client is gone: nothing more is done for it. 499 is what proxies call it. */
  #left(call: Call): void {
    if (call.ended) return;
    this.#withdraw(call, new Error('the client left'), () => this.#finish(call, 499));
  }

  #withdraw(call: Call, why: Error, end: () => void): void {
    const { phase } = call;
    if (phase === 'waiting') this.#unqueue(call);
    if (phase === 'holding') {
      this.#unhold(call);
      endLocal(this.#live, call.key, call.from);
    }
    end();
    if (phase === 'running') call.cancel?.(why);
    else this.#drain();
  }

  #unqueue(call: Call): void {
    const calls = this.#waiting.get(call.key)?.calls;
    const index = calls?.indexOf(call) ?? -1;
    if (index === -1 || calls === undefined) return;
    calls.splice(index, 1);
    functionLive(this.#live, call.key).queued = calls.length;
  }

  #unhold(call: Call): void {
    const held = this.#holding.get(call.key)?.filter((other) => other !== call) ?? [];
    if (held.length > 0) this.#holding.set(call.key, held);
    else this.#holding.delete(call.key);
  }

  #withoutBroken(function_: FunctionPlan): FunctionPlan {
    const now = this.#now();
    for (const [id, until] of this.#broken) if (until <= now) this.#broken.delete(id);
    return { ...function_, replicas: function_.replicas.filter(({ id }) => !this.#broken.has(id)) };
  }

  // ---- headers

  #requestHeaders(call: Call): RawHeaders {
    const headers = [...call.headers, 'X-Call-Id', call.callId, 'X-Skein-Node', this.#plan?.node.name ?? ''];
    if (call.body.kind === 'stream' && call.body.length !== undefined) {
      headers.push('Content-Length', String(call.body.length));
    }
    return headers;
  }

  #forwardHeaders(call: Call): RawHeaders {
    const headers = [...call.headers, 'X-Call-Id', call.callId, 'X-Skein-Hop', String(call.hops + 1)];
    const load = this.load(call.key);
    if (load !== undefined) headers.push('X-Skein-Load', load);
    return headers;
  }

  /** `mine`: the answer comes from a replica of this node, so it carries this node's name; and its load, to a peer. */
  #answerHeaders(call: Call, headers: RawHeaders, mine: boolean): RawHeaders {
    headers.push('X-Call-Id', call.callId);
    if (!mine) return headers;
    headers.push('X-Skein-Node', this.#plan?.node.name ?? '');
    const load = call.from === undefined ? undefined : this.load(call.key, 1);
    if (load !== undefined) headers.push('X-Skein-Load', load);
    return headers;
  }

  #counted(key: FunctionKey): Counts {
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      counts = { entered: 0, served: 0, received: {}, forwarded: {}, rejected: {} };
      // A name that no plan knows is not remembered: callers must not be able to fill this map.
      if (this.knows(key)) this.#counts.set(key, counts);
    }
    return counts;
  }
}

/** A share for a peer that the plan does not tell how to reach is no share. */
const usable = (plan: Plan): Plan => {
  const known = new Set(plan.peers.map(({ id }) => id));
  const entries = Object.entries(plan.functions).map(([key, function_]) => {
    const whole = function_.peers.every(({ id }) => known.has(id));
    return [key, whole ? function_ : { ...function_, peers: function_.peers.filter(({ id }) => known.has(id)) }];
  });
  return { ...plan, functions: Object.fromEntries(entries) as Plan['functions'] };
};

/** Of the body that will follow: 0 where none does, undefined where it is not known. */
const lengthOf = (
  raw: readonly (string | Buffer)[],
  method: string | undefined,
  status: number,
): number | undefined => {
  if (method === 'HEAD' || status === 204 || status === 304) return 0;
  const length = valueOf(raw, 'content-length');
  return length === undefined ? undefined : Number(length);
};
