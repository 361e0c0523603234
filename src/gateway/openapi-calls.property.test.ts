import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openMemory } from '../dataplanes/memory/open.testing.ts';
import { functionPlan, TestNode } from '../dataplanes/test-node.testing.ts';
import { invocations } from './openapi.fixture.ts';

/** Calls of functions as the document says them, at a data plane with one function. */
let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start('node-1', (facts) => openMemory(facts));
  const replica = await node.replica('echo', (request, response) => {
    request.resume();
    response.writeHead(203, { 'x-seen': `${request.method ?? ''} ${request.url ?? ''}` }).end();
  });
  await node.apply(4, { echo: functionPlan([replica]) });
});

afterAll(async () => node.stop());

/** What one segment of a path or a query may hold, as it stands in a request line. */
const plain = fc.string({ unit: fc.constantFrom(...Array.from("aZ09-._~!$&'()*+,;=:@%20/")), maxLength: 30 });
const encoded = plain.map((text) => encodeURI(text).replaceAll('%25', '%'));

/** A target is sent as it is given: no client tidies it up. */
const send = async (method: string, path: string, body: string | undefined): Promise<IncomingMessage> => {
  const sent = request({ port: node.port, method, path, agent: false });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer;
};

const names = fc.oneof(fc.constantFrom('echo', 'echo.openfaas-fn'), fc.stringMatching(/^[-a-zA-Z_0-9.]{1,40}$/));
const isKnown = (name: string): boolean => name === 'echo' || name === 'echo.openfaas-fn';

it('are documented with and without a path, for every verb that OpenAPI has', () => {
  for (const path of ['/function/{name}', '/function/{name}/{path}']) {
    const verbs = invocations.filter((one) => one.path === path).map(({ method }) => method);
    expect(verbs.toSorted()).toEqual(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);
  }
});

describe.each(invocations.map((one) => ({ title: `${one.method} ${one.path}`, ...one })))('$title', (operation) => {
  it('reaches the function, or is refused as the document says', async () => {
    const hasPath = operation.parameters.some(({ name }) => name === 'path');
    await fc.assert(
      fc.asyncProperty(names, hasPath ? encoded : fc.constant(''), fc.option(encoded), async (name, rest, query) => {
        const target = `${hasPath ? `/${rest}` : ''}${query === null ? '' : `?${query}`}`;
        const body = operation.requestBody === undefined ? undefined : 'x';
        const answer = await send(operation.method, `/function/${name}${target}`, body);
        if (isKnown(name)) {
          expect(answer.statusCode).toBe(203);
          expect(answer.headers['x-seen']).toBe(`${operation.method} ${hasPath ? '' : '/'}${target}`);
        } else {
          expect([answer.statusCode, answer.headers['x-skein-reason']]).toEqual([404, 'unknown-function']);
          expect(operation.responses).toHaveProperty('404');
        }
      }),
      { numRuns: 20 },
    );
  });
});
