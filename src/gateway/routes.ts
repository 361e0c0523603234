import { z } from 'zod';
import { functionDeployment, functionStatus } from '../domain/function.ts';
import { federationStatus, nodeFunction } from './needs.ts';

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
  /** Absent where no body is read. */
  readonly request?: z.ZodType | 'bytes';
  /** By status; every route may also answer with the errors of `domain/errors.ts` as text. */
  readonly responses: { readonly [status: number]: ResponseSpec };
};

export type Audience = 'public' | 'peer';

type ResponseSpec = {
  readonly description: string;
  readonly body?: z.ZodType | 'bytes' | 'text' | 'html';
};

/** Replicas that anyone may ask for; the provider's own maximum is lower. */
const replicas = z.number().int().min(0).max(100_000);

const version = z.object({ sha: z.string(), release: z.string(), commit_message: z.string().optional() });

const namespaceQuery = z.object({ namespace: z.string().optional() });

const accepted = { 202: { description: 'Accepted and kept; nodes follow.' } };

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
    query: namespaceQuery,
    responses: {
      200: { description: 'The function.', body: functionStatus },
      404: { description: 'No such function; no body.' },
    },
  },
  scaleFunction: {
    method: 'POST',
    path: '/system/scale-function/{name}',
    audiences: ['public'],
    summary: 'Set the number of replicas at this node',
    query: namespaceQuery,
    request: z.object({ serviceName: z.string().optional(), replicas, namespace: z.string().optional() }),
    responses: accepted,
  },
  namespaces: {
    method: 'GET',
    path: '/system/namespaces',
    audiences: ['public'],
    summary: 'The names of all namespaces',
    responses: { 200: { description: 'The names.', body: z.array(z.string()) } },
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
    request: 'bytes',
    responses: { 200: { description: 'It was there already.' }, 201: { description: 'It is stored.' } },
  },
  nodeFunctions: {
    method: 'GET',
    path: '/internal/functions',
    audiences: ['peer'],
    summary: 'Counts of this node alone',
    responses: { 200: { description: 'The counts.', body: z.array(nodeFunction) } },
  },
  scaleHere: {
    method: 'POST',
    path: '/internal/scale',
    audiences: ['peer'],
    summary: 'Set the number of replicas at this node',
    request: z.object({ name: z.string(), namespace: z.string(), replicas }),
    responses: accepted,
  },
} as const satisfies Record<string, RouteSpec>;

export type RouteName = keyof typeof routes;
