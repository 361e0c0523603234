import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodArchive } from '../bundles/archives.fixture.ts';
import { asAdmin, call, credentials, digestOf, startTestNode } from './node.fixture.ts';
import type { Answer, TestNode } from './node.fixture.ts';
import { arbitraryOf, mismatch, operations } from './openapi.fixture.ts';
import type { Hints, Operation, Schema } from './openapi.fixture.ts';

const archive = goodArchive();
const digest = digestOf(archive);
const runs = 20;
const answerMs = 10_000;

/** What there is, so that requests do not only meet refusals. */
const hints: Hints = {
  name: ['figlet', 'dev', 'figlet.openfaas-fn', 'key'],
  namespace: ['openfaas-fn', 'dev', ''],
  service: ['figlet', 'other'],
  functionName: ['figlet'],
  function_name: ['figlet.openfaas-fn'],
  image: ['figlet:1'],
  secrets: [['key'], []],
  constraints: [['skein.node==node-1']],
  selector: [['skein.node==node-1'], []],
  labels: [{ openfaas: '1' }],
  envVars: [{ A: '1' }],
  limits: [{ memory: '128Mi' }],
  value: ['x'],
  rawValue: ['eA=='],
  digest: [digest],
  id: ['one'],
  limit: ['5'],
  since: ['2026-01-31T12:00:00Z'],
  tail: ['3'],
};
/** Any of them, wherever a text is. */
const words = Object.values(hints)
  .flat()
  .filter((value) => typeof value === 'string');

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
  await call(node.systemSocket, 'PUT', `/system/bundles/${digest}?image=figlet:1`, {
    headers: credentials,
    body: archive,
  });
  await restore();
});

afterAll(async () => node.stop());

/** Operations that took a request. */
const took = new Set<Operation>();

/** What the requests before may have removed. */
const restore = async (): Promise<void> => {
  await asAdmin(node, 'POST', '/system/namespace/', { name: 'dev', labels: { openfaas: '1' } });
  await asAdmin(node, 'POST', '/system/secrets', { name: 'key', value: 'x' });
  await asAdmin(node, 'POST', '/system/functions', { service: 'figlet', image: 'figlet:1' });
  await asAdmin(node, 'PUT', '/system/overrides/figlet/one', { selector: [], labels: { a: 'b' } });
  node.running.splice(0, Infinity, {
    name: 'figlet',
    namespace: 'openfaas-fn',
    placed: true,
    replicas: 1,
    availableReplicas: 1,
    invocationCount: 1,
  });
};

type Request = {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

/** What may stand in a request line, encoded or not. */
const wild = fc.oneof(
  fc.string({ unit: fc.constantFrom(...Array.from('/.%?&=:;~@+-_*"<>{}|^0aZ2eF')), maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom('__proto__', 'constructor', '..', '%00', '%ff', 'a'.repeat(3_000), '-1', '1e999', 'NaN'),
);

/** Only clients that want to wait for ever ask so. */
const follows = /^(1|t|true)$/i;

type Texts = (schema: Schema, name: string) => fc.Arbitrary<string>;

const pathOf = (operation: Operation, textOf: Texts): fc.Arbitrary<string> => {
  const inPath = operation.parameters.filter((one) => one.in === 'path');
  const inQuery = operation.parameters.filter((one) => one.in === 'query');
  const segments = fc.record(Object.fromEntries(inPath.map(({ name, schema }) => [name, textOf(schema, name)])));
  const query = fc.record(
    Object.fromEntries(
      inQuery.map(({ name, schema }) => {
        const text = textOf(schema, name);
        return [name, name === 'follow' ? text.filter((value) => !follows.test(value)) : text];
      }),
    ),
    { requiredKeys: inQuery.filter(({ required }) => required).map(({ name }) => name) },
  );
  return fc.tuple(segments, query).map(([segments, query]) => {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => segments[name] ?? '');
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${value ?? ''}`);
    return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
  });
};

const jsonSchemaOf = ({ requestBody }: Operation) => requestBody?.content['application/json']?.schema;

/** As the document allows. */
const valid = (operation: Operation): fc.Arbitrary<Request> => {
  const schema = jsonSchemaOf(operation);
  const body =
    schema === undefined
      ? fc.constant(operation.requestBody === undefined ? undefined : archive)
      : arbitraryOf(schema, hints).map((value) => JSON.stringify(value));
  const text: Texts = (schema, name) =>
    arbitraryOf(schema, hints, name)
      // Clients take segments of dots alone out of an address.
      .filter((value) => !/^\.+$/.test(String(value)))
      .map((value) => encodeURIComponent(String(value).toWellFormed()));
  return fc.tuple(pathOf(operation, text), body).map(([path, body]) => ({
    method: operation.method,
    path,
    headers: credentials,
    ...(body !== undefined && { body }),
  }));
};

const hostileBody = (operation: Operation): fc.Arbitrary<string | Uint8Array> => {
  const schema = jsonSchemaOf(operation);
  const members = ['__proto__', 'constructor', 'toString', ...Object.keys(schema?.properties ?? {})];
  const almost =
    schema === undefined
      ? fc.json()
      : fc
          .tuple(arbitraryOf(schema, hints), fc.constantFrom(...members), fc.jsonValue({ maxDepth: 2 }))
          .map(([value, name, odd]) => JSON.stringify({ ...(value as object), [name]: odd }));
  return fc.oneof(
    almost,
    almost.chain((text) => fc.nat(text.length).map((end) => text.slice(0, end))),
    fc.json(),
    fc.string(),
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom('['.repeat(50_000), '{"a":'.repeat(20_000), '"\\ud800"', `"${'x'.repeat(1_100_000)}"`),
  );
};

const hostile = (operation: Operation): fc.Arbitrary<Request> => {
  const text: Texts = () => fc.oneof(wild, fc.constantFrom(...words).map(encodeURIComponent));
  const authorization = fc.oneof(
    { weight: 4, arbitrary: fc.constant(credentials) },
    fc.constantFrom({}, { authorization: 'Basic' }, { authorization: 'Basic AAAA' }),
  );
  const more = fc.constantFrom(
    {},
    { 'content-type': 'multipart/form-data' },
    { 'transfer-encoding': 'chunked' },
    { 'x-callback-url': ':' },
  );
  return fc
    .tuple(pathOf(operation, text), fc.option(hostileBody(operation)), authorization, more)
    .map(([path, body, own, more]) => ({
      method: operation.method,
      path,
      headers: { ...own, ...(body === null ? {} : more) },
      ...(body !== null && operation.method !== 'GET' && { body }),
    }));
};

const send = ({ method, path, ...sent }: Request): Promise<Answer> =>
  Promise.race([
    call(node.systemSocket, method, path, sent),
    new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error(`no answer to ${method} ${path}`)), answerMs).unref();
    }),
  ]);

/** Whether what stands for the parameters is what the document allows there: else the path is another, or none. */
const isStill = (operation: Operation, path: string): boolean => {
  const patterns = new Map(operation.parameters.map(({ name, schema }) => [name, schema.pattern?.slice(1, -1)]));
  const pattern = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `(?:${patterns.get(name) ?? '[^/%]+'})`);
  const asked = path.split('?')[0] ?? '';
  return new RegExp(`^${pattern}$`).test(asked) && !/\/\.+(\/|$)/.test(asked);
};

const expectDocumented = (operation: Operation, { status, headers, body }: Answer): void => {
  const own = operation.responses[status];
  if (own === undefined) {
    // A refusal in words, of a kind that the reference explains.
    expect([400, 401, 403, 404, 409, 413, 422, 501, 503, 504], body).toContain(status);
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(body).not.toBe('');
    return;
  }
  const type = (headers['content-type'] ?? '').split(';')[0] ?? '';
  if (own.content === undefined) return expect(body).toBe('');
  expect(Object.keys(own.content)).toContain(type);
  if (type === 'application/json') {
    expect(mismatch(own.content[type]?.schema ?? {}, JSON.parse(body))).toBeUndefined();
  }
};

describe.each(operations.map((operation) => ({ name: `${operation.method} ${operation.path}`, operation })))(
  '$name',
  ({ operation }) => {
    it('answers what the document allows as the document says', async () => {
      await fc.assert(
        fc.asyncProperty(valid(operation), async (request) => {
          const answer = await send(request);
          expectDocumented(operation, answer);
          if (answer.status < 400) took.add(operation);
          if (operation.method === 'DELETE') await restore();
        }),
        { numRuns: runs },
      );
    });

    it('answers anything else with a documented refusal', async () => {
      await fc.assert(
        fc.asyncProperty(hostile(operation), async (request) => {
          const answer = await send(request);
          expect(answer.status).not.toBe(500);
          if (isStill(operation, request.path)) expectDocumented(operation, answer);
          else expect(answer.status).toBeLessThan(505);
          if (operation.method === 'DELETE') await restore();
        }),
        { numRuns: runs },
      );
    });
  },
);

it('took requests of nearly all operations, so that more than refusals were looked at', () => {
  expect(operations.filter((operation) => !took.has(operation)).length).toBeLessThan(operations.length / 4);
});

it('answers verbs that the document does not name with 405', async () => {
  const verbs = ['POST', 'PUT', 'DELETE', 'PATCH'];
  const paths = new Map<string, Set<string>>();
  for (const { path, method } of operations) paths.set(path, (paths.get(path) ?? new Set()).add(method));
  for (const [path, methods] of paths) {
    for (const method of verbs.filter((verb) => !methods.has(verb))) {
      const answer = await call(node.systemSocket, method, path.replaceAll(/\{\w+\}/g, 'one'), {
        headers: credentials,
      });
      // Two paths of which one is a part of the other share their verbs.
      if (answer.status !== 405) expect([path, method]).toEqual(['/async-function/{name}/{path}', 'DELETE']);
      else expect([answer.body, answer.headers.allow]).toEqual(['', expect.stringContaining([...methods][0] ?? '')]);
    }
  }
});
