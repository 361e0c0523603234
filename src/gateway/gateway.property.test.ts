import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, credentials, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
});

afterAll(async () => node.stop());

const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS');
const known = fc.constantFrom(
  '/system/functions',
  '/system/function/figlet',
  '/system/scale-function/figlet',
  '/system/overrides/figlet',
  '/system/overrides/figlet/one',
  '/system/bundles',
  `/system/bundles/sha256:${'a'.repeat(64)}`,
  '/system/federation',
  '/system/info',
  '/system/namespaces',
  '/system/namespace/',
  '/system/namespace/dev',
  '/system/namespace/openfaas-fn',
  '/system/secrets',
  '/system/logs?name=figlet',
  '/system/logs?name=figlet&tail=3&instance=node-1/r1',
  '/system/alert',
  '/openapi.json',
  '/internal/logs?name=figlet&namespace=openfaas-fn',
  '/internal/functions',
  '/internal/scale',
  '/healthz',
  '/ui/',
  '/',
);
/** What may stand in a request line. */
const inLines = fc.constantFrom(...Array.from('/.%?&=:;~@+-_*"<>{}|^0aZ2eF'), "'", '\\');
const wild = fc.string({ unit: inLines, maxLength: 40 }).map((text) => `/${text}`);
const path = fc.oneof(
  known,
  wild,
  fc.tuple(known, wild).map(([start, end]) => start + end),
  wild.map((text) => `/system/function${text}`),
  wild.map((text) => `/system/functions?namespace=${text}`),
  wild.map((text) => `/system/logs?name=figlet&since=${text}&tail=${text}&instance=${text}`),
);
const fields = ['service', 'image', 'namespace', 'labels', 'constraints', 'envVars', 'limits', 'secrets', 'replicas'];
const field = fc.constantFrom(
  ...fields,
  'functionName',
  'name',
  'selector',
  'value',
  'rawValue',
  'alerts',
  'status',
  'annotations',
  '__proto__',
  'constructor',
  'dfaas.maxrate',
);
const json = fc.oneof(
  fc.json(),
  fc
    .dictionary(
      field,
      fc.oneof(
        fc.jsonValue({ maxDepth: 2 }),
        fc.constantFrom('figlet', 'figlet:1', 'dev', 'firing', { openfaas: '1' }),
      ),
    )
    .map((body) => JSON.stringify(body)),
  fc.constant('['.repeat(50_000)),
);
const body = fc.oneof(json, fc.string(), fc.uint8Array());

it('answers whatever is sent with a status below 500', async () => {
  await fc.assert(
    fc.asyncProperty(method, path, body, fc.boolean(), async (method, path, body, isPeer) => {
      const socket = isPeer ? node.peerSocket : node.systemSocket;
      const sent = method === 'GET' || method === 'HEAD' ? {} : { body };
      const answer = await call(socket, method, path, { headers: credentials, ...sent });
      expect(answer.status).toBeGreaterThanOrEqual(200);
      expect(answer.status).toBeLessThan(500);
    }),
    { numRuns: 600 },
  );
}, 120_000);

it('takes no authorization header but the right one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((n) => String.fromCharCode(n)) }),
      async (text) => {
        const answers = await Promise.all(
          [text, `Basic ${text}`, `Basic ${Buffer.from(text).toString('base64')}`].map((authorization) =>
            call(node.systemSocket, 'GET', '/system/info', { headers: { authorization } }),
          ),
        );
        expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
