import type { FunctionKey } from '../../domain/ids.ts';
import type { Route } from '../../routing/plan.ts';
import { hostsOf, routeEach } from '../routes.ts';
import type { View } from '../strategy.ts';
import { viewOnly } from '../view-only.ts';

/** Per cent of the calls that stay here when there is a peer to share with, as published. */
const localShare = 60;

/**
 * DFaaS's Static: 60 % of the calls are served here and 40 % in equal parts at the peers, whatever the load. Nothing
 * bounds what peers send.
 *
 * Mended: only peers that host the function get a share of it (published: every neighbour); shares are fractions, so
 * that they stay above 0 with 81 peers and more (published: rounded to whole per cent); a function that only peers
 * host is shared out wholly over them (published: not forwarded at all).
 */
export const fixedShares = viewOnly('static', (view) => routeEach(view, (key, seen) => sharesOf(view, key, seen.here)));

const sharesOf = (view: View, key: FunctionKey, here: boolean): Route => {
  const hosts = hostsOf(view, key);
  const local = here ? (hosts.length > 0 ? localShare : 100) : 0;
  return {
    policy: 'weighted',
    local: { weight: local },
    peers: hosts.map((peer) => ({ id: peer.id, weight: (100 - local) / hosts.length })),
    rejectShare: 0,
    admission: { peers: {} },
  };
};
