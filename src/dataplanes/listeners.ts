import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { NodeId } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import type { ChannelCredentials } from './certificate.ts';
import { channelKey, channelOptions } from './peer-channel.ts';
import { bodyOf, Call, keep, keptBytes } from './call.ts';
import { forwardable, namesOneHost } from './headers.ts';
import type { Plane } from './plane.ts';
import { refuse } from './refusals.ts';
import { parseTarget, type Target } from './target.ts';
import type { Upstream } from './upstream.ts';

export type ListenerNeeds = {
  readonly plane: Plane;
  readonly clock: Clock;
  /** Where everything but calls to functions goes. */
  readonly upstream: Upstream;
  readonly maxHeaderBytes: number;
  /** 0 = no bound. */
  readonly maxBodyBytes: number;
};

/** Connections at one listener; more are closed at once. */
const maxConnections = 20_000;

/** How long the rest of a body is read after the answer. */
const lingerMs = 5_000;

const settings = ({ maxHeaderBytes }: ListenerNeeds) =>
  ({
    maxHeaderSize: maxHeaderBytes,
    // Slow heads end after a minute; a slow body ends with its call's own time.
    headersTimeout: 60_000,
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    noDelay: true,
  }) as const;

/** For clients. `X-Skein-*` from them means nothing and does not travel; who claims to be a node is refused. */
export const publicListener = (needs: ListenerNeeds): Server => {
  const handle = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const url = request.url ?? '/';
    if (!namesOneHost(request.rawHeaders)) {
      response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      return void response.end('A request names one host.\n');
    }
    if (request.headers['dfaas-node-id'] !== undefined) {
      return refuse(response, refusalFor(needs, 'not-a-peer', 403, request));
    }
    const target = parseTarget(url);
    if (target === undefined) {
      if (isHealth(url)) return health(needs.plane, request, response);
      if (expectsContinue) response.writeContinue();
      return needs.upstream.pass(request, response, []);
    }
    begin(needs, { request, response, target, expectsContinue, from: undefined, hops: 0 });
  };
  const server = createHttpServer(settings(needs), (request, response) => handle(request, response, false));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => handle(request, response, true));
  server.maxConnections = maxConnections;
  return server;
};

/** For peers: who they are is proven by the channel, and only those that the plan names are heard. */
export const peerListener = (needs: ListenerNeeds, credentials: ChannelCredentials): Server => {
  const keys = new WeakMap<TLSSocket, string>();
  const sender = (request: IncomingMessage): NodeId | undefined => {
    if (!(request.socket instanceof TLSSocket)) return undefined;
    let key = keys.get(request.socket);
    if (key === undefined) {
      key = channelKey(request.socket) ?? '';
      keys.set(request.socket, key);
    }
    return key === '' ? undefined : needs.plane.peerByKey(key)?.id;
  };
  const handle = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const from = sender(request);
    if (from === undefined) return refuse(response, refusalFor(needs, 'not-a-peer', 403, request));
    const target = parseTarget(request.url ?? '/');
    if (target !== undefined) {
      const hops = Number(request.headers['x-skein-hop'] ?? 1);
      return begin(needs, { request, response, target, expectsContinue, from, hops });
    }
    if (isHealth(request.url ?? '/')) return health(needs.plane, request, response);
    if (expectsContinue) response.writeContinue();
    needs.upstream.pass(request, response, ['X-Skein-Peer', from]);
  };
  const options = { ...settings(needs), ...channelOptions(credentials), requestCert: true };
  const server = createHttpsServer(options, (request, response) => handle(request, response, false));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => handle(request, response, true));
  server.maxConnections = maxConnections;
  return server;
};

type Arrival = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: Target;
  readonly expectsContinue: boolean;
  readonly from: NodeId | undefined;
  readonly hops: number;
};

const begin = (needs: ListenerNeeds, arrival: Arrival): void => {
  const { request, response, target, expectsContinue, from, hops } = arrival;
  const { plane } = needs;
  const given = request.headers['x-call-id'];
  const call = new Call({
    request,
    response,
    key: target.key,
    path: target.path,
    callId: typeof given === 'string' && given !== '' ? given : undefined,
    from,
    hops,
    headers: from === undefined ? withOrigin(request) : withOriginOf(request),
    startedAt: needs.clock.monotonic(),
    expectsContinue,
    body: bodyOf(request),
  });
  if (!plane.knows(call.key)) return plane.refuseUnknown(call);
  const enter = (): void => (from === undefined ? plane.enter(call) : plane.receive(call, from));

  const { body } = call;
  if (body.kind === 'stream') linger(request, response);
  if (needs.maxBodyBytes > 0 && body.kind === 'stream' && !boundBody(needs.maxBodyBytes, call)) return;
  plane.begin(call);
  const short = body.kind === 'stream' && body.length !== undefined && body.length <= keptBytes;
  if (!short || expectsContinue) return enter();
  keep(request, (bytes) => {
    if (bytes === undefined || call.ended) return;
    call.body = { kind: 'kept', bytes };
    enter();
  });
};

/**
 * A client that is answered before it has sent its whole body may send the rest, so that it finds its answer and keeps
 * its connection, but not for ever.
 */
const linger = (request: IncomingMessage, response: ServerResponse): void => {
  const { socket } = request;
  response.once('close', () => {
    if (request.complete || socket.destroyed) return;
    setTimeout(() => request.complete || socket.destroy(), lingerMs).unref();
  });
};

/** False when the call was answered 413 already; a body of unknown length is cut off where the bound is passed. */
const boundBody = (maxBytes: number, call: Call): boolean => {
  if (call.body.kind !== 'stream') return true;
  if (call.body.length !== undefined && call.body.length > maxBytes) {
    call.response.writeHead(413, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    call.response.end(`The body is longer than this node takes: ${maxBytes} bytes.\n`);
    return false;
  }
  let seen = 0;
  const push = call.request.push.bind(call.request);
  call.request.push = (chunk: Buffer | null, ...rest) => {
    seen += chunk?.length ?? 0;
    if (seen <= maxBytes) return push(chunk, ...rest);
    call.request.destroy(new Error(`a body is longer than ${maxBytes} bytes`));
    return false;
  };
  return true;
};

/** A client's own words about where it comes from are replaced: there is no proxy before this node that it trusts. */
const withOrigin = (request: IncomingMessage): string[] => [
  ...forwardable(request.rawHeaders),
  'X-Forwarded-For',
  request.socket.remoteAddress ?? '',
  'X-Forwarded-Host',
  request.headers.host ?? '',
  'X-Start-Time',
  `${BigInt(Date.now()) * 1_000_000n}`,
];

/** A peer's words about the client are believed. */
const withOriginOf = (request: IncomingMessage): string[] => {
  const headers = forwardable(request.rawHeaders);
  for (const name of ['x-forwarded-for', 'x-forwarded-host', 'x-start-time']) {
    const value = request.headers[name];
    if (typeof value === 'string') headers.push(name, value);
  }
  return headers;
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

const refusalFor = (needs: ListenerNeeds, reason: 'not-a-peer', status: number, request: IncomingMessage) => ({
  status,
  reason,
  subject: '',
  node: needs.plane.plan?.node.name ?? '',
  callId: headerText(request.headers['x-call-id']),
  load: undefined,
});

const headerText = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;
