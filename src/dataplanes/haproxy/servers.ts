import type { FunctionKey } from '../../domain/ids.ts';
import type { FunctionPlan, PeerPlan, ReplicaPlan } from '../../routing/plan.ts';
import { replicaId, type Shape } from './shape.ts';
import { addressText } from './words.ts';

/** A server of HAProxy's, as both a configuration line and an `add server` command want it. */
export type Server = { readonly backend: string; readonly name: string; readonly line: string };

export type PeerServer = Server & { readonly publicKey: string };

/**
 * One that cannot be reached is passed over at once and looked at twice a second until it is back; one that is fine is
 * hardly ever looked at, because calls themselves tell.
 */
const watched =
  'check inter 60s fastinter 500ms downinter 500ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down';

/**
 * A peer that fell silent is found out by this alone: asked every second, given up after two that were not answered. Calls
 * that only it can serve wait meanwhile, so it is asked twice a second until it is back.
 */
const watchedPeer =
  'check check-ssl inter 1s fastinter 500ms downinter 500ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down';

/** Connections that are kept for the next call: a server that is added at run time keeps none unless it is told to. */
const kept = 'pool-max-conn 1024';

export const replicaServers = (shape: Shape): readonly Server[] =>
  (Object.entries(shape.plan.functions) as [FunctionKey, FunctionPlan][]).flatMap(([key, { replicas }]) => {
    const most = Math.max(...replicas.map(({ weight }) => weight), Number.MIN_VALUE);
    return replicas.flatMap((replica) => {
      const name = shape.replicas[replicaId(key, replica.id)]?.name;
      if (name === undefined) return [];
      return [{ backend: `f${shape.slots[key]}`, name, line: replicaLine(replica, most) }];
    });
  });

const replicaLine = ({ address, weight, maxInFlight }: ReplicaPlan, most: number): string => {
  const share = Math.min(100, Math.max(1, Math.round((100 * weight) / most)));
  const bound = maxInFlight > 0 ? ` maxconn ${Math.round(maxInFlight)}` : '';
  return `${addressText(address)} weight ${share}${bound} ${kept} pool-purge-delay 2s ${watched}`;
};

/** No weight: a peer is used where the call was decided to go there, never because HAProxy looks for another server. */
export const peerServers = (shape: Shape, files: PeerFiles): readonly PeerServer[] =>
  shape.plan.peers.flatMap((peer) => {
    const name = shape.peers[peer.id]?.name;
    if (name === undefined) return [];
    return [{ backend: 'peers', name, line: peerLine(peer, name, files), publicKey: peer.publicKey }];
  });

export type PeerFiles = {
  /** This node's own certificate and key. */
  readonly certificate: string;
  /** Where the trust anchor of a peer is, by its server name. */
  readonly anchor: (name: string) => string;
};

const peerLine = (peer: PeerPlan, name: string, { certificate, anchor }: PeerFiles): string =>
  `${addressText(peer.address)} weight 0 ssl crt ${certificate} ca-file ${anchor(name)} verify required ssl-min-ver TLSv1.3 ${kept} pool-purge-delay 30s ${watchedPeer}`;
