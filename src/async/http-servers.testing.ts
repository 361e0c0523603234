import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type Received = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type Reply = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

/** A real HTTP server that remembers what it was sent and answers as it is told. */
export class TestServer {
  readonly received: Received[] = [];
  /** Undefined closes the connection without an answer. */
  answer: (request: Received) => Reply | undefined | Promise<Reply | undefined> = () => ({});
  #waiting: (() => void)[] = [];
  /** It closes no idle connection: on a busy machine a call would be put on one that is just being closed, and count as made. */
  readonly #server: Server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void (async () => {
      const body = (await buffer(request)).toString();
      const { method = '', url = '', headers } = request;
      const received = { method, url, headers, body };
      this.received.push(received);
      for (const wake of this.#waiting.splice(0)) wake();
      const reply = await this.answer(received);
      if (reply === undefined) request.socket.destroy();
      else response.writeHead(reply.status ?? 200, reply.headers).end(reply.body);
    })().catch(() => request.socket.destroy());
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.url;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves once that many requests have come. */
  async count(wanted: number): Promise<readonly Received[]> {
    while (this.received.length < wanted) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.received;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
