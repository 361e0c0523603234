import type { Duplex } from 'node:stream';
import { endReplica, functionLive, type FunctionLive } from '../routing/live.ts';
import type { ReplicaPlan } from '../routing/plan.ts';
import { Answer } from './answer.ts';
import { answerOfReplica, bodyLengthOf, replicaHeaders } from './call-headers.ts';
import type { Call } from './call.ts';
import type { Ends } from './ends.ts';
import type { PlaneState } from './plane-state.ts';
import type { ReplicaEvents } from './replica-events.ts';
import type { Tunnels } from './tunnels.ts';

/** What a run needs of whoever keeps the room of calls. */
export interface RunOwner {
  readonly state: PlaneState;
  readonly ends: Ends;
  readonly tunnels: Tunnels;
  /** The call still has its room, and may run in another replica. */
  again(call: Call): void;
  /** Nobody listened at the replica. */
  unreachable(replica: ReplicaPlan): void;
  /** The call gives its room back. */
  release(call: Call): void;
  /** There is room for others of this function. */
  freed(call: Call): void;
}

/**
 * A call in a replica of this node, from the moment it is handed over until it ends there. It has room, in the replica too, and keeps it until then. An
 * object and not a handful of closures, for the reason that `Call.carrier` gives.
 */
export class LocalRun implements ReplicaEvents {
  readonly #owner: RunOwner;
  readonly #call: Call;
  readonly #replica: ReplicaPlan;
  readonly #function: FunctionLive;
  readonly #answer: Answer;

  constructor(owner: RunOwner, call: Call, replica: ReplicaPlan) {
    this.#owner = owner;
    this.#call = call;
    this.#replica = replica;
    this.#function = functionLive(owner.state.live, call.key);
    this.#answer = new Answer(call);
  }

  start(now: number): void {
    const { state } = this.#owner;
    const call = this.#call;
    call.phase = 'running';
    call.ranAt = now;
    state.needs.replicas.send(this.#replica, call, replicaHeaders(state, call), this);
  }

  head(status: number, raw: string[]): void {
    const call = this.#call;
    if (call.ended) return;
    const { state } = this.#owner;
    call.servedBy = state.nodeName;
    this.#answer.head(status, answerOfReplica(state, call, raw), bodyLengthOf(raw, call.request.method, status));
  }

  data(chunk: Buffer, resume: () => void): boolean {
    return this.#call.ended || this.#answer.data(chunk, resume);
  }

  end(): void {
    const { state, ends } = this.#owner;
    const call = this.#call;
    this.#over(true);
    this.#owner.release(call);
    state.countsOf(call.key).served += 1;
    if (!call.ended) {
      ends.finish(call, call.response.statusCode);
      this.#answer.end();
    }
    this.#owner.freed(call);
  }

  upgraded(raw: string[], connection: Duplex): void {
    const { state, ends, tunnels } = this.#owner;
    const call = this.#call;
    const left = (): void => {
      // Not as a run: how long it lasted says nothing of how long a call takes.
      this.#over(false);
      this.#owner.release(call);
      ends.finish(call, 101);
      this.#owner.freed(call);
    };
    call.servedBy = state.nodeName;
    state.countsOf(call.key).served += 1;
    tunnels.open(call, answerOfReplica(state, call, raw), raw, connection, left);
  }

  fail(error: Error, sent: boolean): void {
    const { state, ends } = this.#owner;
    const call = this.#call;
    this.#over(false);
    if (!call.ended && !this.#answer.begun && !sent) {
      // Nobody listened: another replica may, and the agent hears of it from the demand.
      const { message } = error;
      state.needs.log.warn({ function: call.key, replica: this.#replica.id, error: message }, 'replica unreachable');
      this.#owner.unreachable(this.#replica);
      return this.#owner.again(call);
    }
    // It closed a connection that it thought idle, in the moment in which the call was put on it.
    if (!call.ended && !this.#answer.begun && this.#wasDropped()) return this.#owner.again(call);
    this.#owner.release(call);
    if (!call.ended) {
      if (this.#answer.begun) ends.breakOff(call, this.#answer);
      else ends.refuse(call, 'function-failed', 502);
    }
    this.#owner.freed(call);
  }

  #over(ok: boolean): void {
    const { state } = this.#owner;
    const call = this.#call;
    const now = state.now();
    const tookMs = now - call.ranAt;
    endReplica(this.#function, this.#replica.id, ok ? tookMs : undefined);
    if (ok) state.needs.instruments.meter(call.key).ran(tookMs / 1000);
    // A quick error says nothing of how long a call takes; one that was cut off took at least so long.
    if (ok ? call.response.statusCode < 500 : now >= call.endsAt) {
      const counted = state.countsOf(call.key);
      counted.ran += 1;
      counted.ranMs += tookMs;
    }
  }

  /** The replica is not in the plan any more, so it was told to go; and the call can be told whole to another. */
  #wasDropped(): boolean {
    const { key, body } = this.#call;
    const present = this.#owner.state.function(key)?.replicas.some(({ id }) => id === this.#replica.id) ?? false;
    return !present && body.kind !== 'stream';
  }
}
