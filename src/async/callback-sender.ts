import { lookup } from 'node:dns/promises';
import { isIPv6, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { messageOf } from '../domain/errors.ts';
import type { Clock } from '../std/clock.ts';
import { literalOf, type CallbackPolicy } from './callback-policy.ts';
import type { QueuedCallback } from './queued.ts';
import { refusalOfCallback, type Refusal } from './retry.ts';

export type Resolve = (hostname: string) => Promise<readonly string[]>;

const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address }) => address);

/** As much of the receiver's answer as is read so that its connection ends well. */
const maxAnswerBytes = 65_536;

/** Posts callbacks. A name is resolved once, the policy asked, and that very address connected to: what it resolves to later does not count. */
export class CallbackSender {
  readonly #policy: CallbackPolicy;
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #resolve: Resolve;

  constructor(
    policy: CallbackPolicy,
    timeoutMs: number,
    needs: { readonly clock: Pick<Clock, 'after'>; readonly resolve?: Resolve },
  ) {
    this.#policy = policy;
    this.#timeoutMs = timeoutMs;
    this.#clock = needs.clock;
    this.#resolve = needs.resolve ?? systemResolve;
  }

  /** Undefined when the receiver took it. */
  async send(callback: QueuedCallback, body: Uint8Array, signal: AbortSignal): Promise<Refusal | undefined> {
    const late = new AbortController();
    const cancel = this.#clock.after(this.#timeoutMs, () =>
      late.abort(new Error(`no answer in ${this.#timeoutMs} ms`)),
    );
    try {
      return await this.#send(callback, body, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      return { why: `the receiver could not be reached: ${messageOf(error)}` };
    } finally {
      cancel();
    }
  }

  async #send(
    { url: text, headers }: QueuedCallback,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    const url = new URL(text);
    const address = await unless(signal, this.#addressOf(url));
    if (address === undefined) {
      return { why: `${url.hostname} is at an address to which this node does not post`, final: true };
    }
    const agent = new Agent({ connect: { lookup: alwaysTo(address) } });
    try {
      const answer = await request(withoutUser(url), {
        method: 'POST',
        headers: [...headers, ...credentials(url)],
        body,
        signal,
        dispatcher: agent,
        responseHeaders: 'raw',
      });
      await answer.body.dump({ limit: maxAnswerBytes });
      return refusalOfCallback(answer.statusCode, answer.headers as unknown as readonly string[]);
    } finally {
      await agent.destroy();
    }
  }

  /** Undefined when the policy allows none. */
  async #addressOf(url: URL): Promise<string | undefined> {
    const literal = literalOf(url);
    const addresses = literal === undefined ? await this.#resolve(url.hostname) : [literal];
    return addresses.find((address) => this.#policy.allows(address));
  }
}

/** What comes of `work`; rejects as soon as `signal` aborts. Who looks up names cannot be told to stop. */
const unless = async <T>(signal: AbortSignal, work: Promise<T>): Promise<T> => {
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', leave);
  try {
    if (signal.aborted) leave();
    return await Promise.race([work, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
};

const alwaysTo =
  (address: string): LookupFunction =>
  (_, options, done) => {
    const family = isIPv6(address) ? 6 : 4;
    if (options.all === true) done(null, [{ address, family }]);
    else done(null, address, family);
  };

const withoutUser = (url: URL): URL => {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare;
};

/** `http://user:password@…` is sent as Basic, as OpenFaaS' worker does. */
const credentials = ({ username, password }: URL): readonly string[] => {
  if (username === '' && password === '') return [];
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return ['Authorization', `Basic ${Buffer.from(pair).toString('base64')}`];
};
