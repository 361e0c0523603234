import { Hono } from 'hono';
import type { Context } from 'hono';
import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import { alertHandlers } from './alert-handlers.ts';
import { hasCredentials, unauthenticated } from './auth.ts';
import type { Call, Handler } from './call.ts';
import { asyncHandlers } from './async-handlers.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { functionHandlers } from './function-handlers.ts';
import { logHandlers } from './log-handlers.ts';
import { metered } from './metered.ts';
import { createNames } from './names.ts';
import { namespaceHandlers } from './namespace-handlers.ts';
import type { GatewayNeeds } from './needs.ts';
import { nodeHandlers } from './node-handlers.ts';
import { overrideHandlers } from './override-handlers.ts';
import { platformHeaders } from './platform-headers.ts';
import { queueHandlers } from './queue-handlers.ts';
import { queueHere } from './queue-host.ts';
import type { QueueHost } from './queue-host.ts';
import { createQueues } from './queues.ts';
import { secretHandlers } from './secret-handlers.ts';
import { problem, text } from './responses.ts';
import { routes } from './routes.ts';
import type { Audience, RouteName, RouteSpec } from './routes.ts';

/**
 * The control API of a node (`routes.ts`), as a function from request to response. Invocations never come here: the data
 * plane carries them. Who asks is told by the channel a request came through, never by anything in the request.
 */
export type Gateway = { fetch(request: Request, context: GatewayContext): Promise<Response> };

type GatewayContext = { readonly audience: Audience };

/** How long a call may take unless it carries a bundle. */
const callMs = 30_000;

export const createGateway = (needs: GatewayNeeds): Gateway => {
  const names = createNames(needs.namespaces);
  const { calls, clock } = needs;
  const queue = queueHere(needs.here.name, calls);
  const peers = (): readonly QueueHost[] => needs.peers().map((peer) => peer.queue);
  const queues = createQueues({ here: queue, shared: calls.shared, peers, clock });
  const handlers: Record<RouteName, Handler> = {
    ...nodeHandlers(needs),
    ...functionHandlers(needs, names),
    ...namespaceHandlers(needs),
    ...secretHandlers(needs, names),
    ...logHandlers(needs, names),
    ...alertHandlers(needs, names),
    ...overrideHandlers(needs, names),
    ...bundleHandlers(needs),
    ...asyncHandlers(needs, queues),
    ...queueHandlers(queues, queue),
  };
  const apps = { public: appFor('public', handlers, needs), peer: appFor('peer', handlers, needs) };
  return { fetch: async (request, { audience }) => apps[audience].fetch(request) };
};

/** An app holds only what its audience may use: what a peer may not call is not there for it. */
const appFor = (audience: Audience, handlers: Record<RouteName, Handler>, needs: GatewayNeeds): Hono => {
  const app = new Hono();
  app.onError((error, c) => refusal(error, c, needs));
  app.notFound(() => text(404, '404 page not found'));
  if (needs.onAnswer !== undefined && audience === 'public') app.use('/system/*', metered(needs.onAnswer, needs.clock));
  if (audience === 'public') app.use('/system/*', (c, next) => guard(c, next, needs));
  if (audience === 'public') app.use('/async-function/*', platformHeaders(needs.here.name));

  const methods = new Map<string, string[]>();
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: RouteSpec = routes[name];
    if (!route.audiences.includes(audience)) continue;
    const path = pattern(route.path);
    methods.set(path, [...(methods.get(path) ?? []), ...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])]);
    app.on(route.method, path, (c) => run(route, handlers[name], c, needs));
  }
  for (const [path, allowed] of methods) app.all(path, (c) => otherMethod(c, allowed));
  return app;
};

/** `/system/function/{name}` as the router writes it. */
const pattern = (path: string): string =>
  path
    // A name of a function, or the id of a call, which may be anything.
    .replace('/async-function/{name}', '/async-function/:name{[^/]+}')
    .replace('{name}', ':name{[-a-zA-Z_0-9.]+}')
    .replace('{digest}', ':digest')
    .replace('{path}', ':path{.*}')
    .replace('{id}', ':id');

const guard = async (c: Context, next: () => Promise<void>, needs: GatewayNeeds): Promise<Response | void> => {
  if (!hasCredentials(c.req.header('authorization'), needs.admin)) return unauthenticated();
  // Browsers send a remembered password with requests that any web site makes; they also say that it was another site.
  if (changes(c.req.method) && ['cross-site', 'same-site'].includes(c.req.header('sec-fetch-site') ?? '')) {
    return problem(new SkeinError('forbidden', 'pages of other web sites may not change anything here'));
  }
  await next();
};

const run = async (route: RouteSpec, handler: Handler, c: Context, needs: GatewayNeeds): Promise<Response> => {
  const started = needs.clock.monotonic();
  const call: Call = {
    method: c.req.method,
    target: c.req.url.replace(/^[a-z]+:\/\/[^/]*/i, ''),
    headers: c.req.raw.headers,
    query: new URL(c.req.url).searchParams,
    params: c.req.param(),
    body: () => c.req.raw.body,
    signal: c.req.raw.signal,
  };
  const response = await (isSlow(route) ? handler(call) : inTime(handler(call), needs));
  if (changes(c.req.method)) {
    const ms = Math.round(needs.clock.monotonic() - started);
    // Calls are no changes: thousands a second would hide those that are.
    const level = route.path.startsWith('/async-function/') ? 'debug' : 'info';
    needs.log[level]({ method: route.method, route: route.path, status: response.status, ms }, 'request handled');
  }
  return response;
};

const isSlow = (route: RouteSpec): boolean =>
  typeof route.request === 'string' || route.responses[200]?.body === 'bytes';

const inTime = async (answer: Promise<Response>, needs: GatewayNeeds): Promise<Response> => {
  let cancel = (): void => {};
  const late = new Promise<never>((_resolve, reject) => {
    const sentence = `not done after ${callMs / 1000} s; it may still complete: look at the state before trying again`;
    cancel = needs.clock.after(callMs, () => reject(new SkeinError('timeout', sentence)));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    cancel();
  }
};

const otherMethod = (c: Context, allowed: readonly string[]): Response => {
  const status = c.req.method === 'OPTIONS' ? 204 : 405;
  return new Response(null, { status, headers: { allow: [...allowed, 'OPTIONS'].join(', ') } });
};

const changes = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(method);

const refusal = (error: unknown, c: Context, needs: GatewayNeeds): Response => {
  if (codeOf(error) !== 'internal') return problem(error);
  // What broke is the client's own line; nobody reads the answer.
  if (c.req.raw.signal.aborted) return text(400, 'the request was cut off');
  needs.log.error({ error, reason: messageOf(error) }, 'request failed');
  return text(500, "internal error: the node's log says more");
};
