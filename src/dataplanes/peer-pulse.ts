import type { NodeId } from '../domain/ids.ts';
import type { PeerPlan } from '../routing/plan.ts';

export type PeerPulseNeeds = {
  /** Whether the peer says anything at all, within a bounded time. Never rejects. */
  readonly ask: (peer: PeerPlan) => Promise<boolean>;
};

/** How long a call is at a peer before that one is asked, and between two questions. */
const askEveryMs = 2_000;
/** A peer that left so many in a row unanswered is frozen. */
const mostMisses = 2;

/** A call that a peer took. */
export type AtPeer = {
  /** The peer is frozen. */
  silent(): void;
};

type Watched = {
  readonly peer: PeerPlan;
  readonly calls: Set<AtPeer>;
  misses: number;
  timer: NodeJS.Timeout | undefined;
};

/**
 * Finds out peers that took calls and then fell silent, connections open: a frozen process, a machine without power. Without
 * it their calls would wait for as long as a call may take. Peers that have no calls of this node are not asked.
 */
export class PeerPulse {
  readonly #needs: PeerPulseNeeds;
  readonly #watched = new Map<NodeId, Watched>();

  constructor(needs: PeerPulseNeeds) {
    this.#needs = needs;
  }

  /** `silent` of the call is told, once at most, when the peer is found to be frozen. */
  watch(peer: PeerPlan, call: AtPeer): void {
    const watched = this.#watched.get(peer.id) ?? this.#begin(peer);
    watched.calls.add(call);
  }

  /** It is over, or never began. */
  unwatch(peer: PeerPlan, call: AtPeer): void {
    const watched = this.#watched.get(peer.id);
    if (watched?.calls.delete(call) === true && watched.calls.size === 0) this.#end(watched);
  }

  #begin(peer: PeerPlan): Watched {
    const watched: Watched = { peer, calls: new Set(), misses: 0, timer: undefined };
    this.#later(watched);
    this.#watched.set(peer.id, watched);
    return watched;
  }

  #end(watched: Watched): void {
    clearTimeout(watched.timer);
    if (this.#watched.get(watched.peer.id) === watched) this.#watched.delete(watched.peer.id);
  }

  #later(watched: Watched): void {
    watched.timer = setTimeout(() => void this.#look(watched), askEveryMs);
  }

  async #look(watched: Watched): Promise<void> {
    const answers = await this.#needs.ask(watched.peer);
    if (this.#watched.get(watched.peer.id) !== watched) return;
    watched.misses = answers ? 0 : watched.misses + 1;
    if (watched.misses < mostMisses) return this.#later(watched);
    this.#end(watched);
    for (const call of [...watched.calls]) call.silent();
  }
}
