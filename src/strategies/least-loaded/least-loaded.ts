import type { FunctionKey } from '../../domain/ids.ts';
import type { Route } from '../../routing/plan.ts';
import { hostsOf, routeEach } from '../routes.ts';
import type { View } from '../strategy.ts';
import { viewOnly } from '../view-only.ts';

/**
 * The default. Which peer serves a call is decided for each call (`src/routing`): here while there is room, else the
 * least loaded of a few peers drawn by weight, which admit it only if load flows downhill. This part only says who may
 * be asked: the peers that host the function, have slots and were heard of lately; the weight is the slots. It bounds
 * no peer, since admission looks at the load of each call.
 */
export const leastLoaded = viewOnly('least-loaded', (view) =>
  routeEach(view, (key, seen) => candidatesOf(view, key, seen.here)),
);

const candidatesOf = (view: View, key: FunctionKey, here: boolean): Route => ({
  policy: 'least-loaded',
  local: { weight: here ? 1 : 0 },
  peers: hostsOf(view, key)
    .filter((peer) => peer.slots > 0 && peer.ageMs <= freshMs(view))
    .map((peer) => ({ id: peer.id, weight: peer.slots })),
  rejectShare: 0,
  admission: { peers: {} },
});

/**
 * How old the word of a peer may be, milliseconds. Members speak at least every max(1 s, members × 10 ms); one that
 * missed five turns is not asked.
 */
const freshMs = (view: View): number => 5 * Math.max(1000, (view.peers.length + 1) * 10);
