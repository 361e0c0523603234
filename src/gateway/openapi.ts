import { z } from 'zod';
import { functionDeployment, functionStatus } from '../domain/function.ts';
import { federationStatus, functionNamespace, namespaceBody, nodeFunction, override, secretBody } from './needs.ts';
import { routes } from './routes.ts';
import type { RouteSpec } from './routes.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** Schemas with a name of their own in the document. */
const named: Readonly<Record<string, z.ZodType>> = {
  FederationStatus: federationStatus,
  FunctionDeployment: functionDeployment,
  FunctionNamespace: functionNamespace,
  FunctionStatus: functionStatus,
  NamespaceBody: namespaceBody,
  NodeFunction: nodeFunction,
  Override: override,
  Secret: secretBody,
};

/** The OpenAPI 3.1 document of a node's public HTTP API: what `routes.ts` says, and the paths by which functions are called. */
export const openapi = (version: string): JsonObject => {
  const schemas: Record<string, Json> = {};
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, route] of Object.entries<RouteSpec>(routes)) {
    if (!route.audiences.includes('public')) continue;
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(name, route, schemas);
  }
  for (const [path, item] of Object.entries(invocations())) paths[path] = item;
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Skein gateway',
      version,
      description: 'Every node of a federation serves this API; it is a superset of the REST API of OpenFaaS.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: sorted,
      securitySchemes: {
        admin: { type: 'http', scheme: 'basic', description: 'User `admin`; the password is in DIR/admin-password.' },
      },
    },
  };
};

const operation = (name: string, route: RouteSpec, schemas: Record<string, Json>): Json => ({
  operationId: name,
  summary: route.summary,
  parameters: [
    ...pathParameters(route.path),
    ...parametersIn('query', route.query, schemas),
    ...parametersIn('header', route.headers, schemas),
  ],
  ...(route.request !== undefined && { requestBody: requestBody(route.request, schemas) }),
  responses: responses(route, schemas),
  security: route.path.startsWith('/system/') ? [{ admin: [] }] : [],
});

/** Of path parameters; what does not fit is no path of this API: 404. */
const patterns: Readonly<Record<string, string>> = { name: '^[-a-zA-Z_0-9.]+$' };

const about: Readonly<Record<string, string>> = {
  digest: '`sha256:` and 64 hexadecimal digits.',
  id: 'A DNS label.',
  path: 'What the function gets as its path; it may hold slashes.',
};

const pathParameters = (path: string): readonly JsonObject[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: about[name] ?? (path.includes('namespace') ? 'The namespace.' : '`NAME` or `NAME.NAMESPACE`.'),
    schema: { type: 'string', ...(patterns[name] !== undefined && { pattern: patterns[name] }) },
  }));

const parametersIn = (
  place: 'query' | 'header',
  given: z.ZodObject | undefined,
  schemas: Record<string, Json>,
): readonly JsonObject[] =>
  Object.entries(given?.shape ?? {}).map(([name, schema]) => {
    const rest = schemaOf(schema as z.ZodType, schemas);
    const { description } = schema as z.ZodType;
    const required = !(schema as z.ZodType).safeParse(undefined).success;
    return { name, in: place, required, ...(description !== undefined && { description }), schema: rest };
  });

const requestBody = (request: NonNullable<RouteSpec['request']>, schemas: Record<string, Json>): JsonObject => {
  if (request === 'bundle') return { required: true, content: { 'application/gzip': { schema: binary } } };
  if (request === 'anything') return { content: anything };
  return {
    required: !request.safeParse(undefined).success,
    content: { 'application/json': { schema: schemaOf(request, schemas) } },
  };
};

const binary: JsonObject = { type: 'string', format: 'binary' };

const anything: JsonObject = { '*/*': { schema: binary } };

const plainText: JsonObject = { 'text/plain': { schema: { type: 'string' } } };

const responses = (route: RouteSpec, schemas: Record<string, Json>): JsonObject => {
  const own = Object.entries(route.responses).map(([status, { description, body }]) => [
    status,
    { description, ...(body !== undefined && { content: contentOf(body, schemas) }) },
  ]);
  return {
    ...(Object.fromEntries(own) as JsonObject),
    ...(route.path.startsWith('/system/') && {
      401: { description: 'No password, or a wrong one.', content: plainText },
    }),
    default: { description: 'Refused: a sentence that says what to do.', content: plainText },
  };
};

const contentOf = (
  body: NonNullable<RouteSpec['responses'][number]['body']>,
  schemas: Record<string, Json>,
): JsonObject => {
  switch (body) {
    case 'bytes':
      return { 'application/gzip': { schema: binary } };
    case 'text':
      return plainText;
    case 'html':
      return { 'text/html': { schema: { type: 'string' } } };
    case 'lines':
      return { 'application/x-ndjson': { schema: { type: 'string' } } };
    default:
      return { 'application/json': { schema: schemaOf(body, schemas) } };
  }
};

/** As JSON Schema; what has a name goes to `schemas` and is referred to. */
const schemaOf = (schema: z.ZodType, schemas: Record<string, Json>): JsonObject => {
  const metadata = z.registry<{ id?: string }>();
  for (const [id, one] of Object.entries(named)) metadata.add(one, { id });
  const made = z.toJSONSchema(schema, { metadata, io: 'input', unrepresentable: 'any' });
  const text = JSON.stringify(made).replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $schema: _, $defs, id, ...rest } = JSON.parse(text) as Record<string, Json>;
  for (const [name, one] of Object.entries(($defs ?? {}) as JsonObject)) schemas[name] = bare(one);
  if (typeof id !== 'string') return rest;
  schemas[id] = rest;
  return { $ref: `#/components/schemas/${id}` };
};

const bare = (schema: Json): Json => {
  const { id: _, ...rest } = schema as Record<string, Json>;
  return rest;
};

const callId = { 'X-Call-Id': { description: 'Of this call.', schema: { type: 'string' } } };

const reason = {
  ...callId,
  'X-Skein-Reason': { description: 'Why the platform did not answer.', schema: { type: 'string' } },
};

const refused = (description: string): JsonObject => ({ description, headers: reason, content: plainText });

/** Calls of functions are the data plane's: they are said here, for they are no routes of the control API. */
const invocations = (): Record<string, Record<string, Json>> => {
  const call = (path: string, id: string, method: string): JsonObject => ({
    operationId: `${id}With${method}`,
    summary: 'Call a function and wait for its answer',
    description:
      'What follows the name, and the query, go to the function as its path and query. Other verbs are passed on as well.',
    parameters: pathParameters(path),
    ...(['Get', 'Head', 'Options', 'Trace'].includes(method) ? {} : { requestBody: { content: anything } }),
    responses: {
      default: { description: "The function's own answer.", headers: callId, content: anything },
      400: refused('`X-Timeout` is no duration.'),
      404: refused('No such function.'),
      429: refused('A limit of the function was reached.'),
      502: refused('The function broke.'),
      503: refused('No room and no replica anywhere, with Retry-After.'),
      504: refused('Time ran out.'),
    },
    security: [],
  });
  const methods = ['Get', 'Head', 'Post', 'Put', 'Patch', 'Delete', 'Options', 'Trace'];
  const item = (path: string, id: string): Record<string, Json> =>
    Object.fromEntries(methods.map((method) => [method.toLowerCase(), call(path, id, method)]));
  return {
    '/function/{name}': item('/function/{name}', 'invoke'),
    '/function/{name}/{path}': item('/function/{name}/{path}', 'invokePath'),
  };
};
