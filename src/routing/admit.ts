import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import { localRoom, nobodyRuns, within } from './decide.ts';
import type { Live } from './live.ts';
import type { Plan } from './plan.ts';

export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: Reason; readonly status: number };

/**
 * Whether a request that a peer sent runs here. It is answered at once, never queued: the peer can ask another.
 *
 * The rule is `(inflight + 1) / c ≤ max(load of the sender, 1)` (balancing.md). Load counts what runs, so no honest
 * sender's exceeds 1, and the word of one that says more buys nothing: what is left is that this node has room. A
 * sender forwards only when it has none, so load flows downhill and never returns.
 */
export const admit = (plan: Plan, live: Live, from: NodeId, key: FunctionKey, now: number): Admission => {
  const function_ = plan.functions[key];
  if (function_ === undefined) return refused('unknown-function', 404);
  if (plan.draining) return refused('draining', 503);
  const state = live.functions.get(key);
  const limit = function_.admission.peers[from] ?? function_.admission.others;
  if (!within(limit, state?.received.get(from), now)) {
    return limit?.kind === 'rate' ? refused('over-rate', 429) : refused('full', 429);
  }
  switch (localRoom(plan, function_, live, state, now)) {
    case 'yes':
      return { admitted: true };
    case 'none':
      return refused(nobodyRuns(function_), 503);
    case 'slots':
      return refused('full', 503);
    case 'limit':
      return refused('full', 429);
    case 'rate':
      return refused('over-rate', 429);
  }
};

const refused = (reason: Reason, status: number): Admission => ({ admitted: false, reason, status });
