import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Answers one request; it handles its own faults. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

const closeIdleEveryMs = 50;

const notYet: Listener = (request, response) => {
  request.resume();
  response.writeHead(503).end();
};

/** The data plane sends no request that is malformed, but any verb; Node's parser takes those that it knows. */
const refuseUnread = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const isVerb = error.code === 'HPE_INVALID_METHOD';
  const sentence = isVerb
    ? 'This function runs in Node.js, which knows no verb of that name.\n'
    : 'Node.js cannot read this request.\n';
  socket.end(
    `HTTP/1.1 ${isVerb ? '501 Not Implemented' : '400 Bad Request'}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `X-OpenFaaS-Internal: skein\r\nContent-Length: ${sentence.length}\r\nConnection: close\r\n\r\n${sentence}`,
  );
};

/** The HTTP/1.1 server of a replica. It listens early and gets its function later. */
export class FunctionServer {
  readonly #server: Server;
  #listener = notYet;
  #draining = false;

  constructor() {
    this.#server = createServer(
      {
        // Slow callers are the data plane's business: it is the only one that can reach this socket.
        requestTimeout: 0,
        headersTimeout: 0,
        keepAliveTimeout: 120_000,
        maxHeaderSize: 64 * 1024,
        noDelay: true,
      },
      (request, response) => {
        if (this.#draining) response.shouldKeepAlive = false;
        this.#listener(request, response);
      },
    );
    this.#server.on('clientError', refuseUnread);
  }

  async listen(socketPath: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(socketPath, resolve);
    await promise;
  }

  serve(listener: Listener): void {
    this.#listener = listener;
  }

  /** Takes no new connections, closes the idle ones, and calls `done` when the last request is answered. */
  drain(done: () => void): void {
    if (this.#draining) return;
    this.#draining = true;
    // A request that runs now may leave its connection open when it is answered.
    const idle = setInterval(() => this.#server.closeIdleConnections(), closeIdleEveryMs);
    this.#server.close(() => {
      clearInterval(idle);
      done();
    });
  }
}
