import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { ManualClock } from '../../std/clock.ts';
import { Http1Server, type Http1Handler, type Http1Limits } from './server.ts';

export const limits: Http1Limits = {
  maxHeadBytes: 4_096,
  maxHeaders: 40,
  maxConnections: 50,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 20_000,
  lingerMs: 5_000,
  leastIntake: { bytes: 64 * 1024, withinMs: 10_000 },
};

/** A server whose time stands still until it is told to go on. */
export class Served {
  readonly clock = new ManualClock();
  readonly server: Http1Server;
  readonly port: number;

  private constructor(sockets: NetServer, handler: Http1Handler, changes: Partial<Http1Limits>) {
    this.server = new Http1Server(sockets, { ...limits, ...changes }, this.clock, handler);
    this.port = (sockets.address() as AddressInfo).port;
  }

  static async start(handler: Http1Handler, changes: Partial<Http1Limits> = {}): Promise<Served> {
    const sockets = createServer();
    sockets.listen(0, '127.0.0.1');
    await once(sockets, 'listening');
    return new Served(sockets, handler, changes);
  }

  connect(): Wire {
    return new Wire(this.port);
  }
}

/** A client that sends what it is told and shows what it gets. */
export class Wire {
  readonly socket: Socket;
  #got = '';
  #ended = false;
  #changed: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.#got += text;
      this.#tell();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.#ended = true;
      this.#tell();
    });
  }

  get got(): string {
    return this.#got;
  }

  send(text: string | Buffer): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  /** All that came, once it matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#got)) {
      if (this.#ended) throw new Error(`closed after ${JSON.stringify(this.#got)}`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
    return this.#got;
  }

  /** All that came, once the connection is closed. */
  async closed(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => this.#changed.push(resolve));
    return this.#got;
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}

/** What of an answer does not change with the time of day. */
export const undated = (text: string): string => text.replaceAll(/Date: [^\r]+ GMT\r\n/g, '');
