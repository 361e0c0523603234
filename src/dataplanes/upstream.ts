import type { Clock } from '../std/clock.ts';
import { bodyOf } from './call.ts';
import type { Incoming, Outgoing } from './exchange.ts';
import { forwardable, returnable, valueOf } from './headers.ts';
import type { ClientBody } from './http1/client-exchange.ts';
import { Http1Client, type ClientLimits } from './http1/client.ts';
import { dialTo } from './http1/dial.ts';

const limits: ClientLimits = {
  maxHeadBytes: 64 * 1024,
  maxHeaders: 256,
  maxConnections: 256,
  maxWaiting: 4_096,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 60_000,
};

/**
 * Passes a request on to the agent's own socket, streaming both ways and without a time limit (logs are followed for
 * hours). While there is no agent the answer is 503: calls to functions go on, because they never come here.
 */
export class Upstream {
  readonly #client: Http1Client;

  constructor(socketPath: string, clock: Clock) {
    this.#client = new Http1Client(dialTo({ kind: 'unix', path: socketPath }), limits, clock);
  }

  close(): void {
    this.#client.destroy();
  }

  pass(request: Incoming, response: Outgoing, extra: readonly string[]): void {
    const { method, url, rawHeaders } = request;
    const headers = [...forwardable(rawHeaders), ...callId(rawHeaders), ...extra];
    const begun = startTime(url);
    const exchange = this.#client.request(
      { method, target: url, headers, body: clientBody(request) },
      {
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
          else unavailable(response);
        },
      },
    );
    response.once('close', () => exchange.cancel(new Error('the client left')));
  }
}

const clientBody = (request: Incoming): ClientBody => {
  const body = bodyOf(request);
  return body.kind === 'stream' ? { kind: 'stream', source: request, length: body.length } : { kind: 'none' };
};

/** Of an asynchronous call: the agent keeps the client's, or names it. */
const callId = (raw: readonly string[]): readonly string[] => {
  const value = valueOf(raw, 'x-call-id');
  return value === undefined ? [] : ['X-Call-Id', value];
};

/** Of an asynchronous call: when it came, as callers of functions are told. */
const startTime = (url: string): readonly string[] =>
  url.startsWith('/async-function/') ? ['X-Start-Time', `${Date.now()}000000`] : [];

const unavailable = (response: Outgoing): void => {
  response.writeHead(503, ['Content-Type', 'text/plain; charset=utf-8', 'Retry-After', '1']);
  response.end(
    Buffer.from('The agent of this node does not run, so nothing can be managed here now. Calls to functions go on.\n'),
  );
};
