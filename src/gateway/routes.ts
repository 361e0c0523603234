import { z } from 'zod';
import { functionDeployment, functionStatus } from '../domain/function.ts';
import { maxCallId } from '../queues/queue.ts';
import {
  federationStatus,
  functionNamespace,
  namespaceBody,
  nodeFunction,
  override,
  overrideBody,
  secretBody,
} from './needs.ts';
import { cancelled, deadLetter, functionQueue } from './queue-host.ts';

/**
 * Every route of a node's control API, as data: the gateway is built from it, and so is what documents it. A route that
 * is not here answers 404; a path that is here, called with another method, 405.
 */
export type RouteSpec = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As OpenAPI writes it. `{name}` is `NAME` or `NAME.NAMESPACE`; HEAD is answered wherever GET is. */
  readonly path: string;
  /** Who reaches it: `public` is everyone (with a password below `/system/`), `peer` a node whose identity is proven. */
  readonly audiences: readonly Audience[];
  readonly summary: string;
  readonly query?: z.ZodObject;
  /** Request headers that mean something. */
  readonly headers?: z.ZodObject;
  /** Absent where no body is read; `anything` is passed on as it is. */
  readonly request?: z.ZodType | 'bundle' | 'anything';
  /** By status; every route may also answer with the errors of `domain/errors.ts` as text. */
  readonly responses: { readonly [status: number]: ResponseSpec };
};

export type Audience = 'public' | 'peer';

type ResponseSpec = {
  readonly description: string;
  readonly body?: z.ZodType | 'bytes' | 'text' | 'html' | 'lines';
};

/** Replicas that anyone may ask for; the provider's own maximum is lower. */
const replicas = z.number().int().min(0).max(100_000);

const version = z.object({ sha: z.string(), release: z.string(), commit_message: z.string().optional() });

const namespaceQuery = z.object({ namespace: z.string().optional() });

const logQuery = z.object({
  name: z.string().describe('The function.'),
  namespace: z.string().optional(),
  instance: z.string().optional().describe('Only lines of NODE/REPLICA, of NODE, or of REPLICA.'),
  tail: z.string().optional().describe('Only so many of the newest lines; 0 or less: all.'),
  since: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('Only lines that are not older; default five minutes ago.'),
  follow: z.string().optional().describe('`true`: go on until the client leaves.'),
});

const logResponses = {
  200: {
    description:
      'A JSON object a line: name, namespace, instance (NODE/REPLICA), timestamp, text. Empty for unknown functions.',
    body: 'lines',
  },
  422: { description: 'The query makes no sense.', body: 'text' },
} as const;

const namespaceMade = {
  201: { description: 'It is kept; nodes follow.' },
  409: { description: 'There is one of that name.', body: 'text' as const },
};

const secretResponses = (status: number, what: string) => ({
  [status]: { description: what },
  404: { description: 'No such secret.', body: 'text' as const },
});

const accepted = { 202: { description: 'Accepted and kept; nodes follow.' } };

const deadLetterAt = deadLetter.extend({
  node: z.string().optional().describe('Where it is; absent where all nodes share a queue.'),
});
const pageQuery = z.object({
  limit: z.string().optional().describe('At most so many, 1 to 1000; default 100.'),
  after: z.string().optional().describe('The `id` of the last one of the page before.'),
});
const letterId = z.object({ id: z.string().min(1).max(256) });

const laterHeaders = z.object({
  'X-Callback-Url': z.string().optional().describe("Where the function's answer is posted."),
  'X-Call-Id': z.string().max(128).optional().describe('What the call is to be called; made up where it is left out.'),
});

const laterResponses = {
  202: { description: 'The call is on the disk; `X-Call-Id` names it.' },
  413: { description: 'The body is longer than a kept call may be.', body: 'text' },
} as const;

export const routes = {
  health: {
    method: 'GET',
    path: '/healthz',
    audiences: ['public', 'peer'],
    summary: 'Whether this node takes calls',
    responses: { 200: { description: 'It does.' }, 503: { description: 'It is leaving.', body: 'text' } },
  },
  page: {
    method: 'GET',
    path: '/',
    audiences: ['public'],
    summary: 'A small status page for people',
    responses: { 200: { description: 'The page.', body: 'html' } },
  },
  ui: {
    method: 'GET',
    path: '/ui/',
    audiences: ['public'],
    summary: 'Where OpenFaaS has its page',
    responses: { 302: { description: 'To the status page.' } },
  },
  info: {
    method: 'GET',
    path: '/system/info',
    audiences: ['public'],
    summary: 'Program, version and provider',
    responses: {
      200: {
        description: 'The information.',
        body: z.object({
          provider: z.object({ provider: z.string(), version, orchestration: z.string() }),
          version,
          arch: z.string(),
        }),
      },
    },
  },
  listFunctions: {
    method: 'GET',
    path: '/system/functions',
    audiences: ['public'],
    summary: 'All functions of a namespace, with counts over all nodes',
    query: namespaceQuery,
    responses: { 200: { description: 'The functions.', body: z.array(functionStatus) } },
  },
  deployFunction: {
    method: 'POST',
    path: '/system/functions',
    audiences: ['public'],
    summary: 'Deploy a function that is not there yet',
    query: namespaceQuery,
    request: functionDeployment,
    responses: accepted,
  },
  updateFunction: {
    method: 'PUT',
    path: '/system/functions',
    audiences: ['public'],
    summary: 'Replace a function by a new deployment of it',
    query: namespaceQuery,
    request: functionDeployment,
    responses: accepted,
  },
  removeFunction: {
    method: 'DELETE',
    path: '/system/functions',
    audiences: ['public'],
    summary: 'Remove a function',
    query: namespaceQuery,
    request: z.object({ functionName: z.string().min(1), namespace: z.string().optional() }),
    responses: accepted,
  },
  functionStatus: {
    method: 'GET',
    path: '/system/function/{name}',
    audiences: ['public'],
    summary: 'One function, with counts over all nodes',
    query: namespaceQuery.extend({
      usage: z.string().optional().describe('`1`: with CPU and memory of its replicas.'),
      nodes: z.string().optional().describe('`1`: with how it is at each node.'),
    }),
    responses: {
      200: { description: 'The function.', body: functionStatus },
      404: { description: 'No such function; names the one that was probably meant.', body: 'text' },
    },
  },
  scaleFunction: {
    method: 'POST',
    path: '/system/scale-function/{name}',
    audiences: ['public'],
    summary: 'Set the number of replicas at all nodes together',
    query: namespaceQuery,
    request: z.object({ serviceName: z.string().optional(), replicas, namespace: z.string().optional() }),
    responses: accepted,
  },
  listOverrides: {
    method: 'GET',
    path: '/system/overrides/{name}',
    audiences: ['public'],
    summary: 'How a function differs from node to node',
    query: namespaceQuery,
    responses: { 200: { description: 'The overrides, by id.', body: z.array(override) } },
  },
  getOverride: {
    method: 'GET',
    path: '/system/overrides/{name}/{id}',
    audiences: ['public'],
    summary: 'One override of a function',
    query: namespaceQuery,
    responses: { 200: { description: 'The override.', body: override } },
  },
  setOverride: {
    method: 'PUT',
    path: '/system/overrides/{name}/{id}',
    audiences: ['public'],
    summary: 'Let a function differ at the nodes that a selector picks',
    query: namespaceQuery,
    request: overrideBody,
    responses: accepted,
  },
  removeOverride: {
    method: 'DELETE',
    path: '/system/overrides/{name}/{id}',
    audiences: ['public'],
    summary: 'Remove an override of a function',
    query: namespaceQuery,
    responses: accepted,
  },
  namespaces: {
    method: 'GET',
    path: '/system/namespaces',
    audiences: ['public'],
    summary: 'The names of all namespaces',
    responses: { 200: { description: 'The names.', body: z.array(z.string()) } },
  },
  createNamespace: {
    method: 'POST',
    path: '/system/namespace/',
    audiences: ['public'],
    summary: 'Make a namespace; its labels must hold openfaas=1',
    request: namespaceBody,
    responses: namespaceMade,
  },
  getNamespace: {
    method: 'GET',
    path: '/system/namespace/{name}',
    audiences: ['public'],
    summary: 'One namespace',
    responses: {
      200: { description: 'The namespace.', body: functionNamespace },
      404: { description: 'No such namespace.', body: 'text' },
    },
  },
  createNamedNamespace: {
    method: 'POST',
    path: '/system/namespace/{name}',
    audiences: ['public'],
    summary: 'Make a namespace; its labels must hold openfaas=1',
    request: namespaceBody,
    responses: namespaceMade,
  },
  updateNamespace: {
    method: 'PUT',
    path: '/system/namespace/{name}',
    audiences: ['public'],
    summary: 'Replace labels and annotations of a namespace',
    request: namespaceBody,
    responses: accepted,
  },
  removeNamespace: {
    method: 'DELETE',
    path: '/system/namespace/{name}',
    audiences: ['public'],
    summary: 'Remove a namespace that holds no functions, with its secrets',
    request: namespaceBody,
    responses: accepted,
  },
  listSecrets: {
    method: 'GET',
    path: '/system/secrets',
    audiences: ['public'],
    summary: 'The names of the secrets of a namespace',
    query: namespaceQuery,
    responses: {
      200: { description: 'The names.', body: z.array(z.object({ name: z.string(), namespace: z.string() })) },
    },
  },
  createSecret: {
    method: 'POST',
    path: '/system/secrets',
    audiences: ['public'],
    summary: 'Keep a secret that is not there yet',
    query: namespaceQuery,
    request: secretBody,
    responses: {
      201: { description: 'It is kept; nodes follow.' },
      409: { description: 'There is one of that name.', body: 'text' },
    },
  },
  updateSecret: {
    method: 'PUT',
    path: '/system/secrets',
    audiences: ['public'],
    summary: 'Replace the value of a secret',
    query: namespaceQuery,
    request: secretBody,
    responses: secretResponses(200, 'It is kept; nodes follow.'),
  },
  removeSecret: {
    method: 'DELETE',
    path: '/system/secrets',
    audiences: ['public'],
    summary: 'Remove a secret; functions that run keep what they were given',
    query: namespaceQuery,
    request: z.object({ name: z.string().min(1, 'non-empty name is required'), namespace: z.string().optional() }),
    responses: secretResponses(200, 'It is gone.'),
  },
  logs: {
    method: 'GET',
    path: '/system/logs',
    audiences: ['public'],
    summary: 'What a function wrote, at all nodes',
    query: logQuery,
    responses: logResponses,
  },
  alert: {
    method: 'POST',
    path: '/system/alert',
    audiences: ['public'],
    summary: 'Alertmanager webhook: scale the functions that the alerts name',
    request: z.object({
      alerts: z
        .array(
          z.object({
            status: z.enum(['firing', 'resolved']),
            labels: z.object({ function_name: z.string().default('') }),
          }),
        )
        .max(1_000)
        .nullish(),
    }),
    responses: { 200: { description: 'Done. Unknown functions are passed over.' } },
  },
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    audiences: ['public'],
    summary: 'This document',
    responses: { 200: { description: 'The document.', body: z.record(z.string(), z.unknown()) } },
  },
  federation: {
    method: 'GET',
    path: '/system/federation',
    audiences: ['public'],
    summary: 'The federation as this node sees it',
    responses: { 200: { description: 'Members, plan and catalogue.', body: federationStatus } },
  },
  listBundles: {
    method: 'GET',
    path: '/system/bundles',
    audiences: ['public'],
    summary: 'The bundles on the disk of this node and what images mean them',
    responses: {
      200: {
        description: 'The bundles.',
        body: z.array(z.object({ digest: z.string(), bytes: z.number(), images: z.array(z.string()) })),
      },
    },
  },
  getBundle: {
    method: 'GET',
    path: '/system/bundles/{digest}',
    audiences: ['public', 'peer'],
    summary: 'A bundle, as it was put',
    responses: { 200: { description: 'The archive.', body: 'bytes' } },
  },
  putBundle: {
    method: 'PUT',
    path: '/system/bundles/{digest}',
    audiences: ['public'],
    summary: 'Store a bundle, and with `image` let that image name mean it',
    query: z.object({ image: z.string().optional() }),
    request: 'bundle',
    responses: { 200: { description: 'It was there already.' }, 201: { description: 'It is stored.' } },
  },
  callLater: {
    method: 'POST',
    path: '/async-function/{name}',
    audiences: ['public'],
    summary: 'Keep a call and make it later',
    headers: laterHeaders,
    request: 'anything',
    responses: laterResponses,
  },
  callLaterWithPath: {
    method: 'POST',
    path: '/async-function/{name}/{path}',
    audiences: ['public'],
    summary: 'Keep a call with a path and make it later',
    headers: laterHeaders,
    request: 'anything',
    responses: laterResponses,
  },
  cancelCall: {
    method: 'DELETE',
    path: '/async-function/{name}',
    audiences: ['public'],
    summary: 'Cancel the calls that wait under a call id (in place of a name)',
    responses: {
      202: { description: 'Cancelled.' },
      404: { description: 'None waits.', body: 'text' },
      409: { description: 'It runs already.', body: 'text' },
    },
  },
  queueStats: {
    method: 'GET',
    path: '/system/queue',
    audiences: ['public'],
    summary: 'Calls that wait, run or were given up, by function, at all nodes together',
    responses: { 200: { description: 'The counts.', body: z.array(functionQueue) } },
  },
  deadLetters: {
    method: 'GET',
    path: '/system/queue/dead',
    audiences: ['public'],
    summary: 'Calls and callbacks that were given up, node by node, oldest first',
    query: pageQuery,
    responses: { 200: { description: 'The calls; `id` is NODE/ID.', body: z.array(deadLetterAt) } },
  },
  replayDeadLetter: {
    method: 'POST',
    path: '/system/queue/dead',
    audiences: ['public'],
    summary: 'Try a call that was given up again',
    request: letterId,
    responses: accepted,
  },
  dropDeadLetter: {
    method: 'DELETE',
    path: '/system/queue/dead',
    audiences: ['public'],
    summary: 'Forget a call that was given up',
    request: letterId,
    responses: accepted,
  },
  nodeFunctions: {
    method: 'GET',
    path: '/internal/functions',
    audiences: ['peer'],
    summary: 'Counts of this node alone',
    responses: { 200: { description: 'The counts.', body: z.array(nodeFunction) } },
  },
  nodeLogs: {
    method: 'GET',
    path: '/internal/logs',
    audiences: ['peer'],
    summary: 'What a function wrote at this node alone',
    query: logQuery,
    responses: logResponses,
  },
  nodeQueue: {
    method: 'GET',
    path: '/internal/queue',
    audiences: ['peer'],
    summary: 'What waits at this node alone',
    responses: { 200: { description: 'The counts.', body: z.array(functionQueue) } },
  },
  nodeDeadLetters: {
    method: 'GET',
    path: '/internal/queue/dead',
    audiences: ['peer'],
    summary: 'What was given up at this node alone, oldest first',
    query: pageQuery,
    responses: { 200: { description: 'The calls.', body: z.array(deadLetter) } },
  },
  cancelHere: {
    method: 'POST',
    path: '/internal/queue/cancel',
    audiences: ['peer'],
    summary: 'Cancel the calls that wait at this node under a call id',
    request: z.object({ callId: z.string().min(1).max(maxCallId) }),
    responses: { 200: { description: 'How many there were.', body: cancelled } },
  },
  replayHere: {
    method: 'POST',
    path: '/internal/queue/replay',
    audiences: ['peer'],
    summary: 'Try a call that this node gave up again',
    request: letterId,
    responses: accepted,
  },
  dropHere: {
    method: 'POST',
    path: '/internal/queue/drop',
    audiences: ['peer'],
    summary: 'Forget a call that this node gave up',
    request: letterId,
    responses: accepted,
  },
  scaleHere: {
    method: 'POST',
    path: '/internal/scale',
    audiences: ['peer'],
    summary: 'Set the number of replicas at this node',
    request: z.object({ name: z.string(), namespace: z.string(), replicas, held: z.boolean() }),
    responses: accepted,
  },
} as const satisfies Record<string, RouteSpec>;

export type RouteName = keyof typeof routes;
