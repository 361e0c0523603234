import { createServer as createSocketServer, type Server as SocketServer } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import type { NodeId } from '../domain/ids.ts';
import { arrive, type ArrivalNeeds } from './arrivals.ts';
import type { ChannelCredentials } from './certificate.ts';
import type { Outgoing, Upgrade } from './exchange.ts';
import { valueOf } from './headers.ts';
import type { Http1Incoming } from './http1/incoming.ts';
import { Http1Server } from './http1/server.ts';
import { channelKey, channelOptions } from './peer-channel.ts';
import type { Plane } from './plane.ts';
import { refuse, type Refusal } from './refusals.ts';
import { parseTarget } from './target.ts';
import { upgradeOf } from './upgrade-requests.ts';
import type { Upstream } from './upstream.ts';

export type ListenerNeeds = ArrivalNeeds & {
  /** Where everything but calls to functions goes. */
  readonly upstream: Upstream;
  readonly maxHeaderBytes: number;
};

/** How long a stranger may hold a connection to the peer listener without asking for anything. */
const strangerMs = 5_000;

/** A slow body ends with its call's own time. */
const limits = {
  maxHeaders: 256,
  maxConnections: 20_000,
  headTimeoutMs: 60_000,
  idleTimeoutMs: 75_000,
  lingerMs: 5_000,
  // A tenth of what the slowest mobile networks carry. Who takes less ties up its connection, and maybe a slot.
  leastIntake: { bytes: 64 * 1024, withinMs: 300_000 },
} as const;

/** What a node adds to the head of a call that it passes on: who may call one node may be served by another. */
const addedOnTheWay = { bytes: 4_096, headers: 32 } as const;

type Handle = (request: Http1Incoming, response: Outgoing, upgrade: Upgrade | undefined) => void;

/** For clients. `X-Skein-*` from them means nothing and does not travel; who claims to be a node is refused. */
export const publicListener = (needs: ListenerNeeds): Http1Server =>
  serve(createSocketServer(), needs, { bytes: 0, headers: 0 }, (request, response, upgrade) => {
    if (valueOf(request.rawHeaders, 'dfaas-node-id') !== undefined) {
      refuse(response, notAPeer(needs, request));
      return;
    }
    pass(needs, request, response, upgrade, undefined);
  });

/** For peers: who they are is proven by the channel, and only those that the plan names are heard. */
export const peerListener = (needs: ListenerNeeds, credentials: ChannelCredentials): Http1Server => {
  const keys = new WeakMap<TLSSocket, string>();
  const senderOn = (socket: TLSSocket): NodeId | undefined => {
    let key = keys.get(socket);
    if (key === undefined) {
      key = channelKey(socket) ?? '';
      keys.set(socket, key);
    }
    return key === '' ? undefined : needs.plane.peerByKey(key)?.id;
  };
  const sockets = createTlsServer({
    ...channelOptions(credentials),
    requestCert: true,
    handshakeTimeout: strangerMs,
    ALPNProtocols: ['http/1.1'],
  });
  sockets.on('tlsClientError', (_error, socket) => socket.destroy());
  sockets.on('secureConnection', (socket: TLSSocket) => {
    if (senderOn(socket) !== undefined) return;
    // It may be a member that the plan will name in a moment.
    const timer = setTimeout(() => senderOn(socket) ?? socket.destroy(), strangerMs);
    socket.once('close', () => clearTimeout(timer));
  });
  return serve(sockets, needs, addedOnTheWay, (request, response, upgrade) => {
    const from = request.socket instanceof TLSSocket ? senderOn(request.socket) : undefined;
    if (from !== undefined) return pass(needs, request, response, upgrade, from);
    // A stranger may not hold a connection that members need.
    // As `first-word.ts` says: a peer with HAProxy may try elsewhere by the status alone.
    const status = valueOf(request.rawHeaders, 'x-skein-refuse') === '425' ? 425 : 403;
    refuse(response, { ...notAPeer(needs, request), status, closes: true });
  });
};

const serve = (
  sockets: SocketServer,
  needs: ListenerNeeds,
  added: { readonly bytes: number; readonly headers: number },
  handle: Handle,
): Http1Server => {
  const maxHeadBytes = needs.maxHeaderBytes + added.bytes;
  const maxHeaders = limits.maxHeaders + added.headers;
  return new Http1Server(sockets, { ...limits, maxHeadBytes, maxHeaders }, needs.clock, (request, response) =>
    handle(request, response, upgradeOf(request.head, response)),
  );
};

/** To a function, to this node's own health, or to the agent. `from`: the peer that sends it; undefined for a client. */
const pass = (
  needs: ListenerNeeds,
  request: Http1Incoming,
  response: Outgoing,
  upgrade: Upgrade | undefined,
  from: NodeId | undefined,
): void => {
  const target = parseTarget(request.url);
  if (target !== undefined) {
    const { expectsContinue } = request.head;
    return arrive(needs, { request, response, target, from, expectsContinue, upgrade });
  }
  if (isHealth(request.url)) return health(needs.plane, request, response);
  response.writeContinue();
  needs.upstream.pass(request, response, from === undefined ? [] : ['X-Skein-Peer', from]);
};

const isHealth = (url: string): boolean => url === '/healthz' || url.startsWith('/healthz?');

/** Of this node as a place that answers calls, so that it says `yes` also while no agent runs. */
const health = (plane: Plane, request: Http1Incoming, response: Outgoing): void => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, ['Allow', 'GET, HEAD']);
    response.end();
    return;
  }
  const ready = plane.plan !== undefined && !plane.plan.draining;
  response.writeHead(ready ? 200 : 503, ['Content-Length', '0']);
  response.end();
};

const notAPeer = ({ plane }: ListenerNeeds, request: Http1Incoming): Refusal => ({
  status: 403,
  reason: 'not-a-peer',
  subject: '',
  node: plane.plan?.node.name ?? '',
  callId: valueOf(request.rawHeaders, 'x-call-id'),
  load: undefined,
});
