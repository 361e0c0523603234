import { request as httpRequest, Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { forwardable, returnable, valueOf } from './headers.ts';

const agents = { keepAlive: true, maxSockets: 256, maxFreeSockets: 16 } as const;

/**
 * Passes a request on to the agent's own socket, streaming both ways and without a time limit (logs are followed for
 * hours). While there is no agent the answer is 503: calls to functions go on, because they never come here.
 */
export class Upstream {
  readonly #socketPath: string;
  readonly #agent = new Agent(agents);

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  close(): void {
    this.#agent.destroy();
  }

  pass(request: IncomingMessage, response: ServerResponse, extra: readonly string[]): void {
    const headers = [...forwardable(request.rawHeaders), ...callId(request.rawHeaders), ...extra];
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (encoding !== undefined) headers.push('Transfer-Encoding', 'chunked');
    else if (length !== undefined) headers.push('Content-Length', length);

    const forwarded = httpRequest({
      socketPath: this.#socketPath,
      agent: this.#agent,
      method: request.method,
      path: request.url,
      headers,
      setDefaultHeaders: false,
    });
    forwarded.once('response', (answer) => {
      const { rawHeaders } = answer;
      response.writeHead(answer.statusCode ?? 502, [...returnable(rawHeaders, true), ...callId(rawHeaders)]);
      response.flushHeaders();
      // A broken pipe on either side ends both; there is nobody left to tell.
      pipeline(answer, response, () => undefined);
    });
    forwarded.on('error', () => {
      if (response.headersSent) response.destroy();
      else unavailable(response);
    });
    response.once('close', () => forwarded.destroy());
    request.pipe(forwarded);
  }
}

/** Of an asynchronous call: the agent keeps the client's, or names it. */
const callId = (raw: readonly string[]): readonly string[] => {
  const value = valueOf(raw, 'x-call-id');
  return value === undefined ? [] : ['X-Call-Id', value];
};

const unavailable = (response: ServerResponse): void => {
  response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '1' });
  response.end('The agent of this node does not run, so nothing can be managed here now. Calls to functions go on.\n');
};
