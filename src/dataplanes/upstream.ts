import { randomUUID } from 'node:crypto';
import type { Clock } from '../std/clock.ts';
import { bodyOf, keep, keptBytes } from './call.ts';
import type { Incoming, Outgoing } from './exchange.ts';
import { forwardable, returnable, valueOf } from './headers.ts';
import type { ClientBody } from './http1/client-exchange.ts';
import { Http1Client, type ClientLimits } from './http1/client.ts';
import { dialTo } from './http1/dial.ts';
import { noAgent, refuse, unmanaged } from './refusals.ts';
import { parseTarget } from './target.ts';

const limits: ClientLimits = {
  maxHeadBytes: 64 * 1024,
  maxHeaders: 256,
  maxConnections: 256,
  maxWaiting: 4_096,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 60_000,
};

/** A client that sends nothing of a body for so long has left. */
const silentMs = 60_000;
const lookMs = 5_000;

/** How long a request waits for a connection to the agent when all are in use. */
const waitMs = 15_000;

/**
 * Passes a request on to the agent's own socket, streaming both ways and without a time limit (logs are followed for
 * hours). While there is no agent the answer is 503: calls to functions go on, because they never come here.
 */
export class Upstream {
  readonly #client: Http1Client;
  readonly #clock: Clock;
  readonly #nodeName: () => string;

  constructor(socketPath: string, clock: Clock, nodeName: () => string) {
    this.#clock = clock;
    this.#nodeName = nodeName;
    this.#client = new Http1Client(dialTo({ kind: 'unix', path: socketPath }), limits, clock);
  }

  close(): void {
    this.#client.destroy();
  }

  pass(request: Incoming, response: Outgoing, extra: readonly string[]): void {
    const body = bodyOf(request);
    if (body.kind !== 'stream') return this.#send(request, response, extra, { kind: 'none' });
    this.#boundSilence(request, response);
    const { length } = body;
    if (length === undefined || length > keptBytes) {
      return this.#send(request, response, extra, { kind: 'stream', source: request, length });
    }
    // A client that is slow to send must not hold a connection that others need.
    keep(request, (bytes) => {
      if (bytes !== undefined) this.#send(request, response, extra, { kind: 'bytes', bytes });
    });
  }

  #boundSilence(request: Incoming, response: Outgoing): void {
    let heardAt = this.#clock.monotonic();
    request.watchBody(() => {
      heardAt = this.#clock.monotonic();
    });
    const stop = this.#clock.every(lookMs, () => {
      if (this.#clock.monotonic() - heardAt < silentMs) return;
      stop();
      if (response.headersSent) response.destroy();
      else tooSlow(response);
    });
    request.once('end', stop);
    response.once('close', stop);
  }

  #send(request: Incoming, response: Outgoing, extra: readonly string[], body: ClientBody): void {
    const { method, url, rawHeaders } = request;
    const headers = [...forwardable(rawHeaders), ...callId(rawHeaders), ...extra];
    const startTime = isCall(url) ? `${this.#clock.now()}000000` : undefined;
    const begun = startTime === undefined ? [] : ['X-Start-Time', startTime];
    const stopWaiting = this.#clock.after(waitMs, () => exchange.cancel(new Error('the agent is busy')));
    const exchange = this.#client.request(
      { method, target: url, headers, body },
      {
        sent: stopWaiting,
        head: (status, raw) => {
          response.writeHead(status, [...returnable(raw, true), ...callId(raw), ...begun]);
          response.flushHeaders();
        },
        data: (chunk, resume) => {
          if (response.write(chunk)) return true;
          response.once('drain', resume);
          return false;
        },
        end: () => void response.end(),
        // A broken connection on either side ends both; once the head is sent there is nothing more to say.
        fail: () => {
          if (response.headersSent) response.destroy();
          else this.#refuse(request, response, startTime);
        },
      },
    );
    response.once('close', () => {
      stopWaiting();
      exchange.cancel(new Error('the client left'));
    });
  }

  /** A call that cannot be kept for later is refused as every call is. */
  #refuse({ url, rawHeaders }: Incoming, response: Outgoing, startTime: string | undefined): void {
    const target = isCall(url) ? parseTarget(url.replace(asyncPrefix, '/function/')) : undefined;
    if (target === undefined) return unavailable(response);
    refuse(response, {
      status: 503,
      reason: 'queue-failed',
      subject: target.key,
      hint: noAgent,
      node: this.#nodeName(),
      callId: valueOf(rawHeaders, 'x-call-id') || randomUUID(),
      startTime,
      load: undefined,
    });
  }
}

const asyncPrefix = '/async-function/';

const isCall = (url: string): boolean => url.startsWith(asyncPrefix);

/** Of an asynchronous call: the agent keeps the client's, or names it. */
const callId = (raw: readonly string[]): readonly string[] => {
  const value = valueOf(raw, 'x-call-id');
  return value === undefined ? [] : ['X-Call-Id', value];
};

const unavailable = (response: Outgoing): void => {
  response.writeHead(503, ['Content-Type', 'text/plain; charset=utf-8', 'Retry-After', '1']);
  response.end(Buffer.from(`${unmanaged}\n`));
};

const tooSlow = (response: Outgoing): void => {
  response.writeHead(408, ['Content-Type', 'text/plain; charset=utf-8', 'Connection', 'close']);
  response.end(Buffer.from(`Nothing of the body came for ${silentMs / 1000} seconds.\n`));
};
