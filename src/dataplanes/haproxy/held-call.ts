import {
  request as httpRequest,
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import type { FunctionKey } from '../../domain/ids.ts';
import { keptBytes } from '../call.ts';

/** What HAProxy says of a call for which there is no room: why, and what is known of its function. */
export type Verdict = {
  readonly reason: string;
  readonly status: number;
  readonly queueMs: number;
  readonly width: number;
  readonly serviceMs: number;
  /** Running at this node. */
  readonly running: number;
  readonly starting: boolean;
  /** It held room for a replica, and none will come: now it waits for room, as others do. */
  readonly stranded: boolean;
  /** Why waiting is in vain unless the plan changes: a sentence; undefined where it is not. */
  readonly vain: string | undefined;
};

export type Asked =
  /** It has a place: it runs, or it is on its way to a peer. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'wait'; readonly verdict: Verdict }
  /** The peer that it was sent to did not take it. */
  | { readonly kind: 'refused' }
  /** It was answered, or its client left. */
  | { readonly kind: 'over' };

const defaultTimeoutMs = 60_000;

const agents = new Map<string, Agent>();
const agentFor = (socketPath: string): Agent => {
  const known = agents.get(socketPath);
  if (known !== undefined) return known;
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 64 });
  agents.set(socketPath, agent);
  return agent;
};

/** After this long a long body is sent without leave: some functions never give it. */
const leaveMs = 1_000;

/** A call that HAProxy brought here, and the questions that are asked for it. */
export class HeldCall {
  readonly key: FunctionKey;
  /** It has room already and waits for a replica only. */
  holdsRoom: boolean;
  readonly arrivedAt: number;
  readonly response: ServerResponse;
  readonly callId: string | undefined;
  waitUntil = 0;
  ended = false;
  /** How long it may take in all from its arrival, milliseconds. */
  readonly timeoutMs: number;
  readonly #request: IncomingMessage;
  readonly #again: string;
  readonly #tried: string[];
  #body: Buffer | undefined;
  #bodyBegun = false;
  #asking: ClientRequest | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, again: string, arrivedAt: number) {
    this.#request = request;
    this.response = response;
    this.#again = again;
    this.arrivedAt = arrivedAt;
    const { headers } = request;
    this.key = String(headers['x-skein-function'] ?? '') as FunctionKey;
    this.callId = headers['x-call-id'] as string | undefined;
    this.timeoutMs = Number(headers['x-skein-deadline'] ?? defaultTimeoutMs);
    this.holdsRoom = headers['x-skein-waits'] === undefined && headers['x-skein-carried'] === undefined;
    this.#tried = (headers['x-skein-tried'] as string | undefined)?.split(',').filter((id) => id !== '') ?? [];
  }

  /** Long, or of unknown length: it is read once, when its place agrees. */
  get isLong(): boolean {
    const { 'transfer-encoding': coding, 'content-length': length } = this.#request.headers;
    return coding !== undefined || Number(length ?? 0) > keptBytes;
  }

  /** Reads a short body whole; false when the client left before it was sent. */
  async keep(): Promise<boolean> {
    if (this.isLong) return true;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of this.#request) chunks.push(chunk as Buffer);
    } catch {
      return false;
    }
    this.#body = Buffer.concat(chunks);
    return true;
  }

  /** Peers that refused may have room again: a call that waits asks all. */
  forgive(): void {
    this.#tried.length = 0;
  }

  /** Asks HAProxy for a place. `taken` may come before the last word, which comes once. */
  ask(now: number, answer: (asked: Asked) => void): void {
    let peer: string | undefined;
    let last = false;
    const say = (asked: Asked): void => {
      if (last) return;
      last = asked.kind !== 'taken';
      answer(asked);
    };
    const sent = httpRequest({
      socketPath: this.#again,
      agent: agentFor(this.#again),
      method: this.#request.method,
      path: this.#request.url,
      headers: this.#headers(now),
      setDefaultHeaders: false,
    });
    this.#asking = sent;
    let leave: NodeJS.Timeout | undefined;
    const give = (): void => {
      clearTimeout(leave);
      if (!this.isLong || this.#bodyBegun || last || this.ended) return;
      this.#bodyBegun = true;
      if (this.#request.headers.expect !== undefined) this.response.writeContinue();
      this.#request.pipe(sent);
    };
    sent.on('information', ({ headers }) => {
      const [act = '', to = ''] = String(headers['x-skein-taken'] ?? '').split(' ');
      peer = to === '' ? peer : to;
      // A peer that is still being asked may not take it: the body must wait for its word.
      if (act !== 'forward') leave ??= setTimeout(give, leaveMs);
      if (act !== '') say({ kind: 'taken' });
    });
    sent.once('response', (response) => {
      clearTimeout(leave);
      const { statusCode = 502, headers } = response;
      if (headers['x-skein-verdict'] === 'wait') {
        response.resume();
        if (this.isLong) sent.destroy();
        return say({ kind: 'wait', verdict: verdictOf(headers) });
      }
      if (statusCode === 425 && peer !== undefined && !this.#bodyBegun) {
        response.resume();
        if (this.isLong) sent.destroy();
        this.#tried.push(peer);
        return say({ kind: 'refused' });
      }
      this.#pass(response, statusCode, () => {
        this.ended = true;
        // What the target did not want of a long body is read and thrown away, so that the client finds its answer.
        this.#request.unpipe(sent);
        this.#request.resume();
        if (!sent.writableFinished) sent.destroy();
      });
      say({ kind: 'over' });
    });
    sent.once('error', () => {
      clearTimeout(leave);
      if (!this.ended && !last) this.fail();
      say({ kind: 'over' });
    });
    if (!this.isLong) {
      sent.end(this.#body);
      return;
    }
    sent.once('continue', give);
    sent.flushHeaders();
  }

  /** Its client left, or it was answered in another way. */
  end(): void {
    this.ended = true;
    this.#asking?.destroy();
  }

  /** What it was given to broke. */
  fail(): void {
    this.ended = true;
    if (this.response.headersSent) this.response.destroy();
    else this.response.writeHead(502, { 'x-skein-reason': 'function-failed' }).end();
  }

  #pass(response: IncomingMessage, status: number, done: () => void): void {
    const headers: string[] = [];
    for (let index = 0; index + 1 < response.rawHeaders.length; index += 2) {
      const name = response.rawHeaders[index] as string;
      if (!ofOneHop.has(name.toLowerCase())) headers.push(name, response.rawHeaders[index + 1] as string);
    }
    this.response.writeHead(status === 425 ? 503 : status, headers);
    this.response.flushHeaders();
    // A broken pipe on either side ends both; there is nobody left to tell.
    pipeline(response, this.response, done);
  }

  #headers(now: number): string[] {
    const headers: string[] = [];
    const { rawHeaders } = this.#request;
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      const lower = name.toLowerCase();
      if (ofOneHop.has(lower) || lower.startsWith('x-skein-') || lower === 'content-length') continue;
      headers.push(name, rawHeaders[index + 1] as string);
    }
    headers.push('X-Skein-Function', this.key, 'X-Skein-Asked', '1');
    headers.push('X-Skein-Deadline', String(Math.max(1, Math.floor(this.arrivedAt + this.timeoutMs - now))));
    if (this.holdsRoom) headers.push('X-Skein-Held', '1');
    if (this.#request.headers['x-skein-received'] !== undefined) headers.push('X-Skein-Received', '1');
    if (this.#tried.length > 0) headers.push('X-Skein-Tried', this.#tried.join(','));
    const { 'content-length': length } = this.#request.headers;
    if (this.isLong) {
      headers.push(...(length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', length]));
      headers.push('Expect', '100-continue');
    } else if (length !== undefined) headers.push('Content-Length', length);
    return headers;
  }
}

const ofOneHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect', 'upgrade']);

const verdictOf = (headers: IncomingMessage['headers']): Verdict => {
  const facts = new URLSearchParams(String(headers['x-skein-facts'] ?? ''));
  const number = (name: string): number => Number(facts.get(name) ?? 0);
  return {
    reason: String(headers['x-skein-reason'] ?? 'full'),
    status: Number(headers['x-skein-status'] ?? 503),
    queueMs: number('queue'),
    width: number('width'),
    serviceMs: number('service'),
    running: number('running'),
    starting: number('starting') === 1,
    stranded: number('stranded') === 1,
    vain: Buffer.from(facts.get('vain') ?? '', 'hex').toString('utf8') || undefined,
  };
};
