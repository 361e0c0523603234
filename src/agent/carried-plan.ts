import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { FunctionPlan, PeerPlan, Plan, Route, Routes } from '../routing/plan.ts';

/** How long what an adopted data plane knew of peers holds while they are found again. */
export const reunionMs = 5_000;

/**
 * The plan of the agent before this one. Plans made before the peers are found again, or before the strategy has decided
 * anew, would have all of the load stay here, and lose what there is no room for: until then the earlier plan's word holds.
 */
export class CarriedPlan {
  readonly #plan: Plan;
  readonly #reunionUntil: number;
  readonly #routesUntil: number;
  #found: ReadonlySet<NodeId> = new Set();
  #reunited = false;

  /** `warmUpMs`: until the strategy's own routes are worth more. Times are of one clock. */
  constructor(plan: Plan, now: number, warmUpMs: number) {
    this.#plan = plan;
    this.#reunionUntil = now + reunionMs;
    this.#routesUntil = now + warmUpMs;
  }

  /** `found`: the peers that can be sent work now. True when what `peers` or `routes` say may have changed. */
  look(found: ReadonlySet<NodeId>, now: number): boolean {
    const before = this.#reunited;
    const sought = Object.values<FunctionPlan>(this.#plan.functions).flatMap(({ peers }) => peers);
    this.#reunited ||= now >= this.#reunionUntil || sought.every(({ id }) => found.has(id));
    const changed = sought.some(({ id }) => found.has(id) !== this.#found.has(id));
    this.#found = found;
    return this.#reunited !== before || (this.#reunited && changed) || this.isOver(now);
  }

  /** Nothing of it holds any more. */
  isOver(now: number): boolean {
    return this.#reunited && now >= this.#routesUntil;
  }

  /** Those that are there, and until the reunion those that were. */
  peers(present: readonly PeerPlan[]): readonly PeerPlan[] {
    if (this.#reunited) return present;
    const known = new Set(present.map(({ id }) => id));
    return [...present, ...this.#plan.peers.filter(({ id }) => !known.has(id))];
  }

  /** What was decided before in place of what `routes` say of the same functions. */
  routes(routes: Routes): Routes {
    const before = Object.entries<FunctionPlan>(this.#plan.functions).map(
      ([key, function_]) => [key as FunctionKey, this.#route(function_)] as const,
    );
    return { ...routes, ...Object.fromEntries(before) };
  }

  /** Who is not found after the reunion is sent nothing. */
  #route({ policy, local, peers, rejectShare, admission }: FunctionPlan): Route {
    const there = this.#reunited ? peers.filter(({ id }) => this.#found.has(id)) : peers;
    return { policy, local, peers: there, rejectShare, admission };
  }
}
