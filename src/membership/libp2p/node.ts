import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import { gossipsub, StrictSign, type GossipSub } from '@libp2p/gossipsub';
import { identify, type Identify } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import { cannotListen } from '../../domain/cannot-listen.ts';
import { renderFederationKey, type FederationKey } from '../federation-key.ts';
import type { Identity } from '../identity.ts';
import { maxMessageBytes } from '../message.ts';
import { tcpAddress } from './addresses.ts';

export type Node = Libp2p<{ identify: Identify; pubsub: GossipSub }>;

export type Listen = { readonly host: string; /** 0 = any free one. */ readonly port: number };

/** A handshake costs ten milliseconds of work on each side; a busy machine with many newcomers needs patience. */
const dialTimeoutMs = 10_000;
const maxConnections = 256;

/** A libp2p node, not yet started: it listens on TCP and speaks with those who hold the federation's key. */
export const createNode = (identity: Identity, key: FederationKey, listen: Listen): Promise<Node> =>
  createLibp2p({
    start: false,
    privateKey: privateKeyFromRaw(rawKeyOf(identity)),
    addresses: { listen: [tcpAddress(listen)] },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionProtector: preSharedKey({ psk: new TextEncoder().encode(renderFederationKey(key).trimEnd()) }),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      maxConnections,
      // Many nodes may share a host, or sit behind one address; libp2p's defaults are 5 a second and 10 at a time.
      inboundConnectionThreshold: 500,
      maxIncomingPendingConnections: 100,
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs / 2,
      inboundUpgradeTimeout: dialTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: 3000,
      // The dialer does it, for ever.
      reconnectRetries: 0,
    },
    // Pings on the link's own stream measure and watch every peer already.
    connectionMonitor: { enabled: false },
    services: { identify: identify(), pubsub: gossip() },
  });

/** Starts it; `unavailable` names the port in use. */
export const startNode = async (node: Node, { host, port }: Listen): Promise<void> => {
  try {
    await node.start();
  } catch (error) {
    throw cannotListen(host, { port, purpose: 'federation', setting: 'federation.listen' }, error);
  }
};

const gossip = (): ReturnType<typeof gossipsub> =>
  gossipsub({
    globalSignaturePolicy: StrictSign,
    allowPublishToZeroTopicPeers: true,
    // Direct streams reach the near ones at once; gossip need only find its way to the rest.
    floodPublish: false,
    maxInboundDataLength: 4 * maxMessageBytes,
    maxOutboundBufferSize: 8 * maxMessageBytes,
    // Peers of one host are honest here: a weight would prune all but ten nodes on a loopback address.
    scoreParams: { IPColocationFactorWeight: 0 },
  });

/** libp2p's form of an Ed25519 private key: 32 bytes of seed, 32 of public key. */
const rawKeyOf = ({ privateKey }: Identity): Uint8Array => {
  const { d, x } = privateKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.from(d ?? '', 'base64url'), Buffer.from(x ?? '', 'base64url')]);
};
