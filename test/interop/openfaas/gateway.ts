import { once } from 'node:events';
import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { expect } from 'vitest';
import type { FunctionDeployment, FunctionStatus } from '../../../src/domain/function.ts';
import { until } from '../../e2e/until.ts';

export type Asked = {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
  /** Instead of `body`. */
  readonly json?: unknown;
  /** `none` sends no Authorization to `/system/`. */
  readonly as?: 'admin' | 'none';
};

export type Answered = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly bytes: Buffer;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what the test expects it to be
  json<Shape = Readonly<Record<string, unknown>>>(): Shape;
};

const limitMs = 60_000;

/** A gateway under test, spoken to byte for byte as an OpenFaaS client would: nothing is added, followed or tidied up. */
export class Gateway {
  readonly url: string;
  readonly metricsUrl: string;
  readonly #password: string;

  constructor(facts: { readonly url: string; readonly metricsUrl: string; readonly password: string }) {
    this.url = facts.url;
    this.metricsUrl = facts.metricsUrl;
    this.#password = facts.password;
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`admin:${this.#password}`).toString('base64')}`;
  }

  /** The head has come; the body is still to be read. */
  async open(method: string, path: string, asked: Asked = {}): Promise<IncomingMessage> {
    const outgoing = this.begin(method, path, asked);
    outgoing.end(bodyOf(asked));
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return incoming;
  }

  /** The whole answer. */
  async ask(method: string, path: string, asked: Asked = {}): Promise<Answered> {
    return whole(await this.open(method, path, asked));
  }

  /** A request whose body is still to be sent. */
  begin(method: string, path: string, asked: Asked = {}): ClientRequest {
    const { hostname, port } = new URL(this.url);
    const body = bodyOf(asked);
    // Node's client frames no body of a DELETE unless it is told the length.
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const isAdmin = path.startsWith('/system/') && asked.as !== 'none';
    const authorization = isAdmin ? { authorization: this.authorization } : {};
    const headers = { ...length, ...authorization, ...asked.headers };
    const signal = AbortSignal.timeout(limitMs);
    return request({ host: hostname, port, method, path, headers, agent: false, signal });
  }

  call(path: string, asked: Asked = {}): Promise<Answered> {
    return this.ask('POST', `/function/${path}`, asked);
  }

  async status(name: string, query = ''): Promise<FunctionStatus> {
    const answer = await this.ask('GET', `/system/function/${name}${query}`);
    expect(answer.status, answer.text).toBe(200);
    return answer.json();
  }

  /** Deploys as a client does that waits until the function is ready. */
  async deploy(deployment: FunctionDeployment): Promise<void> {
    const answer = await this.ask('POST', '/system/functions', { json: deployment });
    expect([answer.status, answer.text]).toEqual([202, '']);
    const namespace = deployment.namespace === undefined ? '' : `.${deployment.namespace}`;
    await this.ready(`${deployment.service}${namespace}`);
  }

  async ready(name: string): Promise<void> {
    await until(`${name} is available`, async () => ((await this.status(name)).availableReplicas ?? 0) >= 1);
  }

  async remove(functionName: string, namespace?: string): Promise<void> {
    const answer = await this.ask('DELETE', '/system/functions', { json: { functionName, namespace } });
    expect(answer.status, answer.text).toBe(202);
  }

  /** Makes a secret or a namespace, or whatever else is one request that must be taken. */
  async must(method: string, path: string, json: unknown): Promise<void> {
    const answer = await this.ask(method, path, { json });
    expect([200, 201, 202], `${method} ${path}: ${answer.status} ${answer.text}`).toContain(answer.status);
  }
}

export const whole = async (incoming: IncomingMessage): Promise<Answered> => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString();
  const { statusCode: status = 0, headers, trailers } = incoming;
  return { status, headers, trailers, bytes, text, json: () => JSON.parse(text) };
};

const bodyOf = ({ body, json }: Asked): string | Uint8Array | undefined =>
  json === undefined ? body : JSON.stringify(json);

/** What every refusal in words looks like. */
export const isSentence = (answer: Answered, status: number, words: string | RegExp): void => {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(answer.headers['x-content-type-options']).toBe('nosniff');
  expect(answer.text).toMatch(/[^\n]\n$/);
  if (typeof words === 'string') expect(answer.text).toContain(words);
  else expect(answer.text).toMatch(words);
};

/** The gateways under test: two nodes of one federation. */
export type Gateways = { readonly one: Gateway; readonly two: Gateway };
