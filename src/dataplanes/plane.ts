import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import { admit, type Admission } from '../routing/admit.ts';
import { decide, localRoom, nobodyRuns, type Decision } from '../routing/decide.ts';
import { peerLive, prune, reported } from '../routing/live.ts';
import type { FunctionPlan, PeerPlan, Plan } from '../routing/plan.ts';
import { Deadlines } from '../std/deadlines.ts';
import type { Call } from './call.ts';
import type { Observation, PeerFunctionHint, PeerHint } from './data-plane.ts';
import { Demands } from './demands.ts';
import { Ends } from './ends.ts';
import { waitsForWord } from './first-word.ts';
import { Forwards } from './forwards.ts';
import { valueOf, without } from './headers.ts';
import { LocalRuns } from './local-runs.ts';
import { NearNames } from './near-names.ts';
import { observationOf } from './observation-of.ts';
import { PlaneState, type PlaneNeeds } from './plane-state.ts';
import { Tunnels } from './tunnels.ts';
import { WaitingCalls } from './waiting-calls.ts';

export type { PlaneNeeds } from './plane-state.ts';

/** How often queues are looked at while something waits: for rates that refill, peers that empty, and time that runs out. */
const tickMs = 10;

/** Threads that take room from each other make progress, each time one of them; a call that always comes second waits. */
const mostAttempts = 16;

/**
 * Carries out plans: the one place where a decision of `routing/` becomes a request on its way, here
 * (`local-runs.ts`), at a peer (`forwards.ts`) or into a queue (`waiting-calls.ts`).
 */
export class Plane {
  readonly #needs: PlaneNeeds;
  readonly #state: PlaneState;
  readonly #deadlines: Deadlines<Call>;
  readonly #ends: Ends;
  readonly #runs: LocalRuns;
  readonly #forwards: Forwards;
  readonly #waiting: WaitingCalls;
  readonly #tunnels: Tunnels;
  readonly #nearNames = new NearNames();
  readonly #since: number;
  readonly #demands: Demands;
  #draining = false;
  #open = 0;
  #stopTicking: (() => void) | undefined;

  constructor(needs: PlaneNeeds) {
    this.#needs = needs;
    this.#since = needs.clock.now();
    const state = new PlaneState(needs);
    const deadlines = new Deadlines<Call>(needs.clock, (call) => this.#expire(call));
    const ends = new Ends(state, deadlines);
    const onFreed = (): void => this.#freed();
    const wanted = (key: FunctionKey): void => {
      this.#demands.tell(key);
      this.#tick();
    };
    this.#state = state;
    this.#deadlines = deadlines;
    this.#demands = new Demands(state);
    this.#ends = ends;
    this.#tunnels = new Tunnels(needs.upgradeIdleMs, deadlines);
    const tunnels = this.#tunnels;
    const onStranded = (call: Call, function_: FunctionPlan): void => {
      if (call.from === undefined) this.#route(call, true);
      else ends.refuse(call, nobodyRuns(function_), 503);
    };
    this.#runs = new LocalRuns({ state, ends, tunnels, onHeld: wanted, onStranded, onFreed });
    this.#forwards = new Forwards({ state, ends, tunnels, onRefused: (call) => this.#route(call, true), onFreed });
    this.#waiting = new WaitingCalls({
      state,
      ends,
      isStarting: (key) => this.#runs.holds(key),
      onWaiting: wanted,
      onDecided: (call, plan, decision) => this.#place(call, plan, decision),
    });
  }

  get plan(): Plan | undefined {
    return this.#state.plan;
  }

  /** The plan as it was told, whoever is there to start replicas. */
  get told(): Plan | undefined {
    return this.#state.told;
  }

  /** Whether there is somebody who starts replicas; true until it is said. While there is not, calls that need a start go to peers. */
  attend(attended: boolean): void {
    if (attended === this.#state.attended) return;
    this.#state.attended = attended;
    this.#runs.resume();
    this.#waiting.drain();
  }

  apply(plan: Plan): void {
    const { live, counts } = this.#state;
    const { instruments, peers, replicas } = this.#needs;
    if (this.plan !== undefined && plan.version < this.plan.version) return;
    this.#state.plan = this.#draining ? { ...plan, draining: true } : plan;
    for (const peer of plan.peers) {
      const there = peerLive(live, peer.id);
      if (there.slots === 0) there.slots = peer.slots;
      there.rttMs = peer.rttMs;
    }
    const keys = new Set(Object.keys(plan.functions) as FunctionKey[]);
    const ids = new Set(this.#state.peers.keys());
    prune(live, plan);
    counts.retain((key) => keys.has(key) || live.functions.has(key));
    instruments.retain(keys);
    peers.retain(ids);
    for (const peer of plan.peers) peers.warm(peer);
    replicas.retain(new Set(Object.values(plan.functions).flatMap((planned) => planned.replicas.map(({ id }) => id))));
    this.#runs.planned();
    this.#waiting.drain();
  }

  /** Takes no more calls, whatever later plans say; what waits for room is passed on or refused. */
  drain(): void {
    this.#draining = true;
    if (this.told !== undefined) this.apply(this.told);
  }

  /** Ends what it does by itself; call it when nothing comes any more. */
  close(): void {
    this.#tunnels.close();
    this.#deadlines.close();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  /** There is room again that another thread had. */
  roomCame(): void {
    this.#runs.resume();
    this.#waiting.drain(true);
  }

  hint(hints: readonly PeerHint[]): void {
    const { live } = this.#state;
    const now = this.#state.now();
    for (const hint of hints) {
      if (!this.#state.peers.has(hint.id)) continue;
      reported(live, hint.id, undefined, hint, now);
      for (const [key, there] of Object.entries(hint.functions) as [FunctionKey, PeerFunctionHint][]) {
        if (this.knows(key)) reported(live, hint.id, key, { ...hint, function: there }, now);
      }
    }
    this.#waiting.drain();
  }

  /** The head of a call is here: its time runs, and it may leave. `enter` or `receive` follows, once its body may be used. */
  begin(call: Call): void {
    const counts = this.#state.countsOf(call.key);
    if (call.from === undefined) counts.entered += 1;
    else counts.received[call.from] = (counts.received[call.from] ?? 0) + 1;
    if (call.from === undefined) this.#metered(call);
    this.#open += 1;
    call.response.once('close', () => {
      this.#open -= 1;
      this.#left(call);
    });
    this.#trace(call);
    this.#setTime(call);
  }

  /** A call that this node's own user made. */
  enter(call: Call): void {
    this.#route(call, false);
  }

  /** A call that a peer sent. */
  receive(call: Call, from: NodeId): void {
    const { plan } = this;
    if (call.ended) return;
    if (plan === undefined) return this.refuseUncounted(call, 'no-replica', 503);
    // A plan came while its body did: what is counted of a peer is counted only while the plan names it.
    if (!this.#state.peers.has(from)) return this.#ends.refuse(call, 'not-a-peer', 403);
    const admission = this.#admit(call, from, plan);
    if (!admission.admitted) {
      this.#foundNoRoom(call, plan);
      return this.#ends.refuse(call, admission.reason, admission.status);
    }
    // Also where the body waits for its own word: that comes once there is a replica, which may take a start.
    if (waitsForWord(call)) call.response.writeProcessing();
    this.#metered(call);
    this.#runs.again(call);
  }

  /** A call for a name that no plan knows. */
  refuseUnknown(call: Call): void {
    this.#needs.instruments.unknownFunction();
    this.#ends.refuseUncounted(call, 'unknown-function', 404, {
      hint: this.#nearNames.hint(() => this.#knownKeys(), call.key, this.#state.now()),
    });
  }

  /** Its body is longer than the listener takes, wherever it is. The rest of it may not be read: the connection ends. */
  refuseBody(call: Call): void {
    if (call.ended) return;
    this.#withdraw(call, new Error('the body of this call is too long'), () =>
      this.#ends.refuse(call, 'too-large', 413, { closes: true }),
    );
  }

  /** Whether anybody wants to know how calls ended. */
  get records(): boolean {
    return this.#needs.onCall !== undefined || this.#needs.tracer !== undefined;
  }

  /** Refuses what never became a call of a known function. */
  refuseUncounted(call: Call, reason: Reason, status: number): void {
    this.#ends.refuseUncounted(call, reason, status);
  }

  knows(key: FunctionKey): boolean {
    return this.#state.function(key) !== undefined;
  }

  peerByKey(publicKey: string): PeerPlan | undefined {
    return this.plan?.peers.find((peer) => peer.publicKey === publicKey);
  }

  /** Calls that are not answered to the last byte. */
  get open(): number {
    return this.#open;
  }

  /** Invocations running or waiting, here or at peers. */
  get busy(): number {
    let outstanding = 0;
    for (const peer of this.#state.live.peers.values()) outstanding += peer.outstanding.own;
    return this.#state.live.running.own + this.#waiting.count + outstanding;
  }

  observe(): Observation {
    return observationOf(this.#state, this.#since, this.#waiting.count);
  }

  #knownKeys(): readonly FunctionKey[] {
    return Object.keys(this.plan?.functions ?? {}) as FunctionKey[];
  }

  #route(call: Call, again: boolean): void {
    if (call.ended) return;
    const { plan } = this;
    if (plan === undefined) return this.refuseUncounted(call, 'no-replica', 503);
    const { key, tried, hops } = call;
    let counted = again;
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const asked = { key, now: this.#state.now(), tried, hops, again: again || attempt > 0 };
      const decision = decide(plan, this.#state.live, asked, this.#needs.random);
      if (!counted && decision.kind !== 'serve') {
        this.#foundNoRoom(call, plan);
        counted = true;
      }
      if (this.#place(call, plan, decision)) return;
    }
    this.#waiting.wait(call, plan.functions[key] as FunctionPlan, 'full', 503);
  }

  /** Where a peer's call is admitted, it has its room. */
  #admit(call: Call, from: NodeId, plan: Plan): Admission {
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const admission = admit(plan, this.#state.live, from, call.key, this.#state.now());
      if (!admission.admitted || this.#runs.takeRoom(call, plan)) return admission;
    }
    return { admitted: false, reason: 'full', status: 503 };
  }

  /** Counts which bound was in the way of a call that is not served here; a rate, or a share that is not ours, is none. */
  #foundNoRoom({ key }: Call, plan: Plan): void {
    const function_ = plan.functions[key];
    if (function_ === undefined) return;
    const { live, counts } = this.#state;
    const room = localRoom(plan, function_, live, live.functions.get(key), this.#state.now());
    if (room === 'slots') counts.of(key, true).foundFull += 1;
    if (room === 'limit') counts.of(key, true).foundLimit += 1;
  }

  /** False where it does not hold any more: another thread was faster. */
  #place(call: Call, plan: Plan, decision: Decision): boolean {
    switch (decision.kind) {
      case 'serve':
        if (!this.#runs.takeRoom(call, plan)) return false;
        this.#runs.again(call);
        return true;
      case 'forward':
        return this.#forwards.forward(call, plan, decision.peer);
      case 'wait':
        this.#waiting.wait(call, plan.functions[call.key] as FunctionPlan, decision.reason, decision.status);
        return true;
      case 'refuse':
        this.#ends.refuse(call, decision.reason, decision.status);
        return true;
    }
  }

  /** Gives the call the time that it has: the function's, or less where its caller has less. */
  #setTime(call: Call): void {
    const { asked, startedAt } = call;
    const ownMs = this.#state.function(call.key)?.timeoutMs ?? 60_000;
    if (asked.kind === 'nonsense') {
      return this.#ends.refuse(call, 'bad-request', 400, { hint: 'X-Timeout is a duration such as 5s or 250ms.' });
    }
    const ms = asked.kind === 'ms' ? Math.min(asked.ms, ownMs) : ownMs;
    if (ms <= 0) return this.#ends.refuse(call, 'timeout', 504);
    call.shortened = ms < ownMs;
    call.endsAt = startedAt + ms;
    this.#deadlines.add(call);
  }

  /** Without a tracer the context travels on as it came. */
  #trace(call: Call): void {
    const { tracer } = this.#needs;
    if (tracer === undefined) return;
    const raw = call.request.rawHeaders;
    const { outgoing } = tracer.begin(valueOf(raw, 'traceparent'), valueOf(raw, 'tracestate'));
    call.traceparentOut = outgoing;
    call.headers = [...without(call.headers, 'traceparent'), 'traceparent', outgoing];
  }

  #metered(call: Call): void {
    call.metered = true;
    this.#needs.instruments.meter(call.key).started();
  }

  #tick(): void {
    this.#stopTicking ??= this.#needs.clock.every(tickMs, () => {
      this.#waiting.expire();
      this.#runs.resume();
      this.#runs.expire();
      this.#waiting.drain();
      if (this.#waiting.active || this.#runs.holding) return;
      this.#stopTicking?.();
      this.#stopTicking = undefined;
    });
  }

  /** Time ran out, wherever the call is. */
  #expire(call: Call): void {
    if (call.ended) return;
    this.#withdraw(call, new Error('the time of this call ran out'), () => {
      if (call.response.headersSent) {
        call.reason = 'timeout';
        this.#ends.finish(call, 504);
        call.response.destroy();
      } else this.#ends.refuse(call, 'timeout', 504);
    });
  }

  /** The client is gone: nothing more is done for it. 499 is what proxies call it. */
  #left(call: Call): void {
    if (call.ended || call.switched) return;
    this.#withdraw(call, new Error('the client left'), () => this.#ends.finish(call, 499));
  }

  #withdraw(call: Call, why: Error, end: () => void): void {
    const { phase } = call;
    if (phase === 'waiting') this.#waiting.remove(call);
    if (phase === 'holding') this.#runs.remove(call);
    end();
    if (phase === 'running') call.carrier?.cancel(why);
    else this.#freed();
  }

  #freed(): void {
    this.#waiting.drain(true);
    this.#state.turns.freed();
  }
}
