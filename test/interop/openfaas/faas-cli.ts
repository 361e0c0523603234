import { until } from '../../e2e/until.ts';
import { isMasked, masked } from './mask.ts';
import type { Answered, Gateway } from './gateway.ts';

type Request = {
  readonly method: string;
  readonly path: string;
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Calls of functions carry no password. */
  readonly open?: boolean;
};

/** What `faas-cli` takes for success. */
const taken: ReadonlySet<number> = new Set([200, 201, 202]);

const shownHeaders = ['content-type', 'www-authenticate', 'x-skein-reason', 'x-openfaas-internal'];

/**
 * The requests of `faas-cli`, in its order and with its headers, and what it makes of the answers. Everything is written
 * down, with what differs from run to run masked.
 */
export class FaasCli {
  readonly #gateway: Gateway;
  readonly #lines: string[] = [];

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  get transcript(): string {
    return `${this.#lines.join('\n').trim()}\n`;
  }

  async login(authorization: string): Promise<void> {
    this.#command('login');
    await this.#send({ method: 'GET', path: '/system/functions', headers: { authorization } });
  }

  /** `deploy`, `up` and `store deploy`: an update, and a deployment when there is nothing to update. */
  async deploy(words: string, body: object): Promise<void> {
    this.#command(words);
    const path = '/system/functions';
    const updated = await this.#send({ method: 'PUT', path, body });
    if (updated.status === 404) await this.#send({ method: 'POST', path, body });
  }

  async list(query = ''): Promise<void> {
    this.#command('list');
    await this.#send({ method: 'GET', path: `/system/functions${query}` });
  }

  async describe(name: string): Promise<void> {
    this.#command(`describe ${name}`);
    await this.#send({ method: 'GET', path: `/system/function/${name}?namespace=openfaas-fn&usage=1` });
    await this.#send({ method: 'GET', path: '/system/functions?namespace=openfaas-fn' });
  }

  /** Asks until the function is available; the last answer is written down. */
  async ready(name: string, query = ''): Promise<void> {
    this.#command(`ready ${name}`);
    const ask = { method: 'GET', path: `/system/function/${name}${query}` };
    const answer = await until(`${name} is ready`, async () => {
      const answer = await this.#ask(ask);
      return (answer.json<{ availableReplicas?: number }>().availableReplicas ?? 0) > 0 && answer;
    });
    this.#write(ask, answer);
  }

  async invoke(name: string, body: string, flags = '', headers: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#command(`invoke ${name}${flags}`);
    const kind = flags.includes('--async') ? 'async-function' : 'function';
    await this.#send({
      method: 'POST',
      path: `/${kind}/${name}`,
      headers: { 'content-type': 'text/plain', ...headers },
      body,
      open: true,
    });
  }

  /** Asks until there are as many lines; the last answer is written down. */
  async logs(name: string, tail: number): Promise<void> {
    this.#command(`logs ${name} --tail ${tail} --follow=false`);
    const ask = { method: 'GET', path: `/system/logs?follow=false&name=${name}&tail=${tail}` };
    const answer = await until(`${name} has written`, async () => {
      const answer = await this.#ask(ask);
      return answer.text.split('\n').length > tail && answer;
    });
    this.#write(ask, answer);
  }

  /** Any command that is one request. */
  async one(words: string, method: string, path: string, body?: object): Promise<void> {
    this.#command(words);
    await this.#send({ method, path, ...(body !== undefined && { body }) });
  }

  #command(words: string): void {
    this.#lines.push('', `$ faas-cli ${words}`);
  }

  async #send(request: Request): Promise<Answered> {
    const answer = await this.#ask(request);
    this.#write(request, answer);
    return answer;
  }

  #ask({ method, path, ...rest }: Request): Promise<Answered> {
    return this.#gateway.ask(method, path, {
      headers: headersOf({ method, path, ...rest }),
      ...(rest.body !== undefined && { body: textOf(rest.body) }),
      as: rest.open === true ? 'none' : 'admin',
    });
  }

  #write(request: Request, answer: Answered): void {
    const { authorization = this.#gateway.authorization, ...headers } = headersOf(request);
    const who = authorization === this.#gateway.authorization ? 'of the administrator' : 'of somebody else';
    const sent = { ...(request.open !== true && { authorization: who }), ...headers };
    this.#lines.push(`> ${request.method} ${request.path}`);
    for (const [name, value] of Object.entries(sent)) this.#lines.push(`> ${name}: ${masked(value)}`);
    if (request.body !== undefined) this.#lines.push(`> ${textOf(request.body)}`);
    this.#lines.push(`< ${answer.status}${taken.has(answer.status) ? '' : ' (refused)'}`);
    for (const name of [...shownHeaders, ...Object.keys(answer.headers).filter(isMasked)]) {
      const value = answer.headers[name];
      if (value !== undefined) this.#lines.push(`< ${name}: ${isMasked(name) ? '*' : String(value)}`);
    }
    for (const line of masked(answer.text).trimEnd().split('\n')) if (line !== '') this.#lines.push(`< ${line}`);
  }
}

const headersOf = ({ headers, body }: Request): Record<string, string> => ({
  'user-agent': 'faas-cli/0.17.8',
  'accept-encoding': 'gzip',
  ...(body !== undefined && { 'content-type': 'application/json' }),
  ...headers,
});

const textOf = (body: string | object): string => (typeof body === 'string' ? body : JSON.stringify(body));
