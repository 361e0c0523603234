import type { FunctionKey } from '../domain/ids.ts';
import { beginLocal, beginReplica, endLocal, functionLive } from '../routing/live.ts';
import type { FunctionPlan, Plan, ReplicaPlan } from '../routing/plan.ts';
import type { Call } from './call.ts';
import type { Ends } from './ends.ts';
import { LocalRun, type RunOwner } from './local-run.ts';
import type { PlaneState } from './plane-state.ts';
import type { Tunnels } from './tunnels.ts';

export type LocalRunsNeeds = {
  readonly state: PlaneState;
  readonly ends: Ends;
  readonly tunnels: Tunnels;
  /** Calls have room and wait for a replica. */
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
export class LocalRuns implements RunOwner {
  readonly state: PlaneState;
  readonly ends: Ends;
  readonly tunnels: Tunnels;
  readonly #needs: LocalRunsNeeds;
  readonly #holding = new Map<FunctionKey, Call[]>();
  /** Replicas that refused a connection, and until when they are left alone (milliseconds of this process). */
  readonly #broken = new Map<string, number>();

  constructor(needs: LocalRunsNeeds) {
    this.#needs = needs;
    this.state = needs.state;
    this.ends = needs.ends;
    this.tunnels = needs.tunnels;
  }

  /** Takes room for the call, which `again` then runs; false where there is none any more. */
  takeRoom(call: Call, plan: Plan): boolean {
    return beginLocal(this.state.live, plan, call.key, call.from, this.state.now());
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

  /** Refuses what has waited too long for a replica, and says again for what others wait. */
  expire(): void {
    const now = this.state.now();
    for (const calls of [...this.#holding.values()]) {
      for (const call of calls.filter(({ holdUntil }) => holdUntil <= now)) {
        this.remove(call);
        this.ends.refuse(call, 'no-replica', 503);
      }
    }
    for (const key of this.#holding.keys()) this.#needs.onHeld(key);
  }

  /** Takes out a call that waits for a replica, with its room. */
  remove(call: Call): void {
    const held = this.#holding.get(call.key);
    const index = held?.indexOf(call) ?? -1;
    if (held === undefined || index === -1) return;
    held.splice(index, 1);
    if (held.length === 0) this.#holding.delete(call.key);
    this.state.turns.left();
    this.release(call);
  }

  // ---- for runs

  /** The call has room; finds it a replica, or keeps it until there is one. */
  again(call: Call): void {
    if (!this.#goesOn(call)) this.#hold(call);
  }

  unreachable({ id }: ReplicaPlan): void {
    this.#broken.set(id, this.state.now() + brokenMs);
  }

  release(call: Call): void {
    endLocal(this.state.live, call.key, call.from);
  }

  freed({ key }: Call): void {
    this.#resume(key);
    this.#needs.onFreed();
  }

  // ----

  /** False where the call is to wait for a replica. */
  #goesOn(call: Call): boolean {
    const function_ = this.state.function(call.key);
    const now = this.state.now();
    if (function_ === undefined || now >= call.endsAt) {
      this.release(call);
      if (function_ === undefined) this.ends.refuse(call, 'unknown-function', 404);
      else this.ends.refuse(call, 'timeout', 504);
      return true;
    }
    const usable = this.#broken.size === 0 ? function_ : this.#withoutBroken(function_);
    const replica = beginReplica(usable, functionLive(this.state.live, call.key));
    if (replica !== undefined) new LocalRun(this, call, replica).start(now);
    else if (function_.replicas.length > 0 || function_.canStart) return false;
    else {
      this.release(call);
      call.phase = 'deciding';
      this.#needs.onStranded(call, function_);
    }
    return true;
  }

  #hold(call: Call): void {
    call.phase = 'holding';
    if (call.holdUntil === 0) call.holdUntil = this.state.now() + startMs;
    const held = this.#holding.get(call.key);
    if (held === undefined) this.#holding.set(call.key, [call]);
    else held.push(call);
    this.state.turns.joined();
    this.#needs.onHeld(call.key);
  }

  /** The oldest first. Where there is no replica for one, there is none for those behind it: they are not looked at. */
  #resume(key: FunctionKey): void {
    for (let call = this.#takeFirst(key); call !== undefined; call = this.#takeFirst(key)) {
      if (this.#goesOn(call)) {
        this.state.turns.left();
        continue;
      }
      const held = this.#holding.get(key);
      if (held === undefined) this.#holding.set(key, [call]);
      else held.unshift(call);
      return;
    }
  }

  #takeFirst(key: FunctionKey): Call | undefined {
    const held = this.#holding.get(key);
    const first = held?.shift();
    if (held?.length === 0) this.#holding.delete(key);
    return first;
  }

  #withoutBroken(function_: FunctionPlan): FunctionPlan {
    const now = this.state.now();
    for (const [id, until] of this.#broken) if (until <= now) this.#broken.delete(id);
    return { ...function_, replicas: function_.replicas.filter(({ id }) => !this.#broken.has(id)) };
  }
}
