import type { NodeId } from '../domain/ids.ts';
import { isReason } from '../domain/reason.ts';
import { answered, beginForward, closed, endForward, failed, peerLive, reported } from '../routing/live.ts';
import { parseLoad } from '../routing/load-header.ts';
import type { PeerPlan, Plan } from '../routing/plan.ts';
import { Answer } from './answer.ts';
import { answerOfPeer, bodyLengthOf, forwardHeaders } from './call-headers.ts';
import type { Call } from './call.ts';
import type { Ends } from './ends.ts';
import { valueOf } from './headers.ts';
import type { PeerFailure } from './peer-send.ts';
import type { PlaneState } from './plane-state.ts';
import { notRun } from './refusals.ts';
import type { Tunnels } from './tunnels.ts';

export type ForwardsNeeds = {
  readonly state: PlaneState;
  readonly ends: Ends;
  readonly tunnels: Tunnels;
  /** The peer did not take the call, and nothing of it ran there: it is to be decided again. */
  readonly onRefused: (call: Call) => void;
  /** A peer may have room again. */
  readonly onFreed: () => void;
};

/** A peer that refused for a reason its load does not show is not asked again for this long. */
const closedMs = 250;

/** Calls that run at peers. */
export class Forwards {
  readonly #needs: ForwardsNeeds;
  readonly #state: PlaneState;

  constructor(needs: ForwardsNeeds) {
    this.#needs = needs;
    this.#state = needs.state;
  }

  /** False, and nothing is done, where the bound on this peer leaves no more. */
  forward(call: Call, plan: Plan, to: NodeId): boolean {
    const state = this.#state;
    const { ends, tunnels } = this.#needs;
    const peer = state.peers.get(to) as PeerPlan;
    const now = state.now();
    if (now >= call.endsAt) {
      ends.refuse(call, 'timeout', 504);
      return true;
    }
    if (!beginForward(state.live, plan, call.key, to, now)) return false;
    const answer = new Answer(call);
    call.phase = 'running';
    call.ranAt = now;
    let refused = false;

    state.needs.peers.send(peer, call, forwardHeaders(state, call), {
      accepted: () => {
        answered(state.live, to);
        const counts = state.countsOf(call.key);
        counts.forwarded[to] = (counts.forwarded[to] ?? 0) + 1;
        state.needs.instruments.meter(call.key).forwarded(peer.name);
      },
      head: (status, raw) => {
        refused = this.#heard(call, to, raw);
        if (refused || call.ended) return;
        answer.head(status, answerOfPeer(call, raw), bodyLengthOf(raw, call.request.method, status));
      },
      data: (chunk, resume) => refused || call.ended || answer.data(chunk, resume),
      end: () => {
        endForward(state.live, call.key, to);
        if (refused) return this.#again(call, to);
        if (!call.ended) {
          ends.finish(call, call.response.statusCode);
          answer.end();
        }
        this.#needs.onFreed();
      },
      upgraded: (raw, connection) => {
        const left = (): void => {
          endForward(state.live, call.key, to);
          ends.finish(call, 101);
          this.#needs.onFreed();
        };
        this.#heard(call, to, raw);
        tunnels.open(call, answerOfPeer(call, raw), raw, connection, left);
      },
      fail: (failure) => {
        endForward(state.live, call.key, to);
        this.#failed(call, to, failure, answer);
      },
    });
    return true;
  }

  /** Learns from the head of a peer's answer; true where it says that the call did not run there. */
  #heard(call: Call, to: NodeId, raw: readonly string[]): boolean {
    const { live } = this.#state;
    const now = this.#state.now();
    answered(live, to);
    const load = parseLoad(valueOf(raw, 'x-skein-load'));
    if (load !== undefined) reported(live, to, call.key, load, now);
    const reason = valueOf(raw, 'x-skein-reason');
    const notRunThere = reason !== undefined && notRun.has(reason);
    if (notRunThere && reason !== 'full') closed(live, to, call.key, now + closedMs);
    if (isReason(reason)) call.reason = reason;
    else call.servedBy = valueOf(raw, 'x-skein-node');
    // Of a long body some is gone once it was begun: then the refusal is the answer.
    return notRunThere && !(call.body.kind === 'stream' && call.bodyBegun);
  }

  #failed(call: Call, to: NodeId, failure: PeerFailure, answer: Answer): void {
    const { ends, onFreed } = this.#needs;
    const { live, needs } = this.#state;
    if (failure !== 'broken') failed(live, to, this.#state.now());
    if (call.ended) return onFreed();
    // Once for each time that a peer falls silent: calls come by the thousand.
    const level = peerLive(live, to).suspicion.failures === 1 ? 'warn' : 'debug';
    needs.log[level]({ peer: to, function: call.key, failure }, 'forwarding failed');
    if (answer.begun) ends.breakOff(call, answer);
    else if (failure === 'not-taken') return this.#again(call, to);
    else if (failure === 'silent') ends.refuse(call, 'timeout', 504);
    else ends.refuse(call, 'function-failed', 502);
    onFreed();
  }

  #again(call: Call, refusedBy: NodeId): void {
    call.tried.push(refusedBy);
    call.phase = 'deciding';
    call.carrier = undefined;
    call.ranAt = 0;
    call.reason = undefined;
    this.#needs.onRefused(call);
  }
}
