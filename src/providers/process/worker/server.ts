import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** Answers one request; it handles its own faults. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

const closeIdleEveryMs = 50;

const notYet: Listener = (request, response) => {
  request.resume();
  response.writeHead(503).end();
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
