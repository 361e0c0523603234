import type { FunctionKey } from '../domain/ids.ts';
import { beginLocal, beginReplica, endLocal, endReplica, functionLive, pickReplica } from '../routing/live.ts';
import type { FunctionPlan, ReplicaPlan } from '../routing/plan.ts';
import { Answer } from './answer.ts';
import { answerOfReplica, bodyLengthOf, replicaHeaders } from './call-headers.ts';
import type { Call } from './call.ts';
import type { Ends } from './ends.ts';
import type { PlaneState } from './plane-state.ts';
import type { Tunnels } from './tunnels.ts';

export type LocalRunsNeeds = {
  readonly state: PlaneState;
  readonly ends: Ends;
  readonly tunnels: Tunnels;
  /** A call has room and waits for a replica. */
  readonly onHeld: (key: FunctionKey) => void;
  /** The call had room and waited for a replica, but none can be started here any more. */
  readonly onStranded: (call: Call, function_: FunctionPlan) => void;
  /** There is room again. */
  readonly onFreed: () => void;
};

/** How long a call that has room may wait for a replica to start. */
const startMs = 30_000;

/** A replica that refused a connection is not tried again for this long, unless a new plan comes. */
const brokenMs = 250;

/** Calls that run in replicas of this node, or have their room and wait for one. */
export class LocalRuns {
  readonly #needs: LocalRunsNeeds;
  readonly #state: PlaneState;
  readonly #holding = new Map<FunctionKey, Call[]>();
  /** Replicas that refused a connection, and until when they are left alone (milliseconds of this process). */
  readonly #broken = new Map<string, number>();

  constructor(needs: LocalRunsNeeds) {
    this.#needs = needs;
    this.#state = needs.state;
  }

  /** Takes room for the call and runs it. */
  serve(call: Call, function_: FunctionPlan): void {
    beginLocal(this.#state.live, call.key, function_, call.from, this.#state.now());
    this.#run(call);
  }

  /** Whether calls of this function wait for a replica. */
  holds(key: FunctionKey): boolean {
    return this.#holding.has(key);
  }

  get holding(): boolean {
    return this.#holding.size > 0;
  }

  /** A plan has come: there may be other replicas now. */
  planned(): void {
    this.#broken.clear();
    this.resume();
  }

  /** Tries again to find replicas for those that wait. */
  resume(): void {
    for (const key of [...this.#holding.keys()]) this.#resume(key);
  }

  /** Refuses what has waited too long for a replica. */
  expire(): void {
    const now = this.#state.now();
    for (const calls of [...this.#holding.values()]) {
      for (const call of calls.filter(({ holdUntil }) => holdUntil <= now)) {
        this.remove(call);
        this.#needs.ends.refuse(call, 'no-replica', 503);
      }
    }
  }

  /** Takes out a call that waits for a replica, with its room. */
  remove(call: Call): void {
    const held = this.#holding.get(call.key)?.filter((other) => other !== call) ?? [];
    if (held.length > 0) this.#holding.set(call.key, held);
    else this.#holding.delete(call.key);
    this.#release(call);
  }

  /** The call has room; finds it a replica, or keeps it until there is one. */
  #run(call: Call): void {
    const function_ = this.#state.function(call.key);
    if (function_ === undefined) {
      this.#release(call);
      return this.#needs.ends.refuse(call, 'unknown-function', 404);
    }
    const usable = this.#broken.size === 0 ? function_ : this.#withoutBroken(function_);
    const replica = pickReplica(usable, functionLive(this.#state.live, call.key));
    if (replica !== undefined) return this.#dispatch(call, replica);
    if (function_.replicas.length > 0 || function_.canStart) return this.#hold(call);
    this.#release(call);
    call.phase = 'deciding';
    this.#needs.onStranded(call, function_);
  }

  #hold(call: Call): void {
    call.phase = 'holding';
    if (call.holdUntil === 0) call.holdUntil = this.#state.now() + startMs;
    const held = this.#holding.get(call.key);
    if (held === undefined) this.#holding.set(call.key, [call]);
    else held.push(call);
    this.#needs.onHeld(call.key);
  }

  #resume(key: FunctionKey): void {
    const held = this.#holding.get(key);
    if (held === undefined) return;
    this.#holding.delete(key);
    for (const call of held) if (!call.ended) this.#run(call);
  }

  #dispatch(call: Call, replica: ReplicaPlan): void {
    const state = this.#state;
    const { ends, tunnels } = this.#needs;
    const begunAt = state.now();
    if (begunAt >= call.endsAt) {
      this.#release(call);
      return ends.refuse(call, 'timeout', 504);
    }
    const function_ = functionLive(state.live, call.key);
    const answer = new Answer(call);
    call.phase = 'running';
    call.ranAt = begunAt;
    beginReplica(function_, replica.id);
    const over = (ok: boolean): void => {
      const tookMs = state.now() - begunAt;
      endReplica(function_, replica.id, ok ? tookMs : undefined);
      if (ok) state.needs.instruments.meter(call.key).ran(tookMs / 1000);
      // A quick error says nothing of how long a call takes; one that was cut off took at least so long.
      if (ok ? call.response.statusCode < 500 : state.now() >= call.endsAt) {
        const counted = state.countsOf(call.key);
        counted.ran += 1;
        counted.ranMs += tookMs;
      }
    };

    state.needs.replicas.send(replica, call, replicaHeaders(state, call), {
      head: (status, raw) => {
        if (call.ended) return;
        call.servedBy = state.nodeName;
        answer.head(status, answerOfReplica(state, call, raw), bodyLengthOf(raw, call.request.method, status));
      },
      data: (chunk, resume) => call.ended || answer.data(chunk, resume),
      end: () => {
        over(true);
        this.#release(call);
        state.countsOf(call.key).served += 1;
        if (!call.ended) {
          ends.finish(call, call.response.statusCode);
          answer.end();
        }
        this.#freed(call.key);
      },
      upgraded: (raw, connection) => {
        const left = (): void => {
          // Not as a run: how long it lasted says nothing of how long a call takes.
          over(false);
          this.#release(call);
          ends.finish(call, 101);
          this.#freed(call.key);
        };
        call.servedBy = state.nodeName;
        state.countsOf(call.key).served += 1;
        tunnels.open(call, answerOfReplica(state, call, raw), raw, connection, left);
      },
      fail: (error, sent) => {
        over(false);
        if (!call.ended && !answer.begun && !sent) {
          // Nobody listened: another replica may, and the agent hears of it from the demand.
          const { message } = error;
          state.needs.log.warn({ function: call.key, replica: replica.id, error: message }, 'replica unreachable');
          this.#broken.set(replica.id, state.now() + brokenMs);
          this.#run(call);
          return;
        }
        if (!call.ended && !answer.begun && this.#wasDropped(call, replica)) {
          // It closed a connection that it thought idle, in the moment in which the call was put on it.
          this.#run(call);
          return;
        }
        this.#release(call);
        if (!call.ended) {
          if (answer.begun) ends.breakOff(call, answer);
          else ends.refuse(call, 'function-failed', 502);
        }
        this.#freed(call.key);
      },
    });
  }

  #freed(key: FunctionKey): void {
    this.#resume(key);
    this.#needs.onFreed();
  }

  #release(call: Call): void {
    endLocal(this.#state.live, call.key, call.from);
  }

  /** The replica is not in the plan any more, so it was told to go; and the call can be told whole to another. */
  #wasDropped(call: Call, replica: ReplicaPlan): boolean {
    const present = this.#state.function(call.key)?.replicas.some(({ id }) => id === replica.id) ?? false;
    return !present && call.body.kind !== 'stream';
  }

  #withoutBroken(function_: FunctionPlan): FunctionPlan {
    const now = this.#state.now();
    for (const [id, until] of this.#broken) if (until <= now) this.#broken.delete(id);
    return { ...function_, replicas: function_.replicas.filter(({ id }) => !this.#broken.has(id)) };
  }
}
