import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { NodeId } from '../domain/ids.ts';
import { arrive, type ArrivalNeeds } from './arrivals.ts';
import type { ChannelCredentials } from './certificate.ts';
import type { Upgrade } from './exchange.ts';
import { namesOneHost } from './headers.ts';
import { channelKey, channelOptions } from './peer-channel.ts';
import type { Plane } from './plane.ts';
import { refuse, type Refusal } from './refusals.ts';
import { parseTarget } from './target.ts';
import { mayUpgrade, onUpgrade } from './upgrade-requests.ts';
import type { Upstream } from './upstream.ts';

export type ListenerNeeds = ArrivalNeeds & {
  /** Where everything but calls to functions goes. */
  readonly upstream: Upstream;
  readonly maxHeaderBytes: number;
};

/** How long a stranger may hold a connection to the peer listener without asking for anything. */
const strangerMs = 5_000;

/** Connections at one listener; more are closed at once. */
const maxConnections = 20_000;

const settings = ({ maxHeaderBytes }: ListenerNeeds) =>
  ({
    maxHeaderSize: maxHeaderBytes,
    // Slow heads end after a minute; a slow body ends with its call's own time.
    headersTimeout: 60_000,
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    noDelay: true,
    shouldUpgradeCallback: mayUpgrade,
  }) as const;

type Handle = (
  request: IncomingMessage,
  response: ServerResponse,
  more: { readonly expectsContinue: boolean; readonly upgrade?: Upgrade },
) => void;

/** For clients. `X-Skein-*` from them means nothing and does not travel; who claims to be a node is refused. */
export const publicListener = (needs: ListenerNeeds): Server => {
  const handle: Handle = (request, response, more) => {
    const url = request.url ?? '/';
    if (!namesOneHost(request.rawHeaders)) {
      response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      return void response.end('A request names one host.\n');
    }
    if (request.headers['dfaas-node-id'] !== undefined) {
      refuse(response, notAPeer(needs, request));
      return;
    }
    const target = parseTarget(url);
    if (target !== undefined) return arrive(needs, { request, response, target, from: undefined, ...more });
    if (isHealth(url)) return health(needs.plane, request, response);
    if (more.expectsContinue) response.writeContinue();
    needs.upstream.pass(request, response, []);
  };
  return serve(createHttpServer(settings(needs)), handle);
};

/** For peers: who they are is proven by the channel, and only those that the plan names are heard. */
export const peerListener = (needs: ListenerNeeds, credentials: ChannelCredentials): Server => {
  const keys = new WeakMap<TLSSocket, string>();
  const senderOn = (socket: TLSSocket): NodeId | undefined => {
    let key = keys.get(socket);
    if (key === undefined) {
      key = channelKey(socket) ?? '';
      keys.set(socket, key);
    }
    return key === '' ? undefined : needs.plane.peerByKey(key)?.id;
  };
  const handle: Handle = (request, response, more) => {
    const from = request.socket instanceof TLSSocket ? senderOn(request.socket) : undefined;
    // A stranger may not hold a connection that members need.
    if (from === undefined) {
      refuse(response, { ...notAPeer(needs, request), closes: true });
      return;
    }
    const url = request.url ?? '/';
    const target = parseTarget(url);
    if (target !== undefined) return arrive(needs, { request, response, target, from, ...more });
    if (isHealth(url)) return health(needs.plane, request, response);
    if (more.expectsContinue) response.writeContinue();
    needs.upstream.pass(request, response, ['X-Skein-Peer', from]);
  };
  const options = {
    ...settings(needs),
    ...channelOptions(credentials),
    requestCert: true,
    handshakeTimeout: strangerMs,
  };
  const server = createHttpsServer(options);
  server.on('secureConnection', (socket: TLSSocket) => {
    if (senderOn(socket) !== undefined) return;
    // It may be a member that the plan will name in a moment.
    const timer = setTimeout(() => senderOn(socket) ?? socket.destroy(), strangerMs);
    socket.once('close', () => clearTimeout(timer));
  });
  return serve(server, handle);
};

const plain = { expectsContinue: false } as const;
const expecting = { expectsContinue: true } as const;

const serve = (server: Server, handle: Handle): Server => {
  server.on('request', (request, response) => handle(request, response, plain));
  server.on('checkContinue', (request, response) => handle(request, response, expecting));
  onUpgrade(server, (request, response, upgrade) => handle(request, response, { ...plain, upgrade }));
  server.maxConnections = maxConnections;
  return server;
};

const isHealth = (url: string): boolean => url === '/healthz' || url.startsWith('/healthz?');

/** Of this node as a place that answers calls, so that it says `yes` also while no agent runs. */
const health = (plane: Plane, request: IncomingMessage, response: ServerResponse): void => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const ready = plane.plan !== undefined && !plane.plan.draining;
  response.writeHead(ready ? 200 : 503, { 'content-length': '0' }).end();
};

const notAPeer = ({ plane }: ListenerNeeds, request: IncomingMessage): Refusal => {
  const callId = request.headers['x-call-id'];
  return {
    status: 403,
    reason: 'not-a-peer',
    subject: '',
    node: plane.plan?.node.name ?? '',
    callId: typeof callId === 'string' ? callId : undefined,
    load: undefined,
  };
};
