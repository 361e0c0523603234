import type { Server as NetServer, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Clock } from '../../std/clock.ts';
import { Fault } from './fault.ts';
import type { Http1Incoming } from './incoming.ts';
import type { LeastIntake } from './intake.ts';
import type { LineBounds } from './line-scanner.ts';
import type { Http1Outgoing } from './outgoing.ts';
import { reread } from './reading.ts';
import { ServerConnection, type ConnectionNeeds } from './server-connection.ts';

export type Http1Limits = {
  /** Of a request's line and headers. */
  readonly maxHeadBytes: number;
  readonly maxHeaders: number;
  /** Connections; more are closed at once. */
  readonly maxConnections: number;
  /** From a head's first byte, or from the connection's beginning, to the head's last. */
  readonly headTimeoutMs: number;
  /** Between requests. */
  readonly idleTimeoutMs: number;
  /** How long the rest of a request is read after its answer. */
  readonly lingerMs: number;
  /** What a client must take while some of its answer waits for it. */
  readonly leastIntake: LeastIntake;
};

export type Http1Handler = (request: Http1Incoming, response: Http1Outgoing) => void;

/** How often connections are looked at; times are kept to within this. */
const turnMs = 500;

/**
 * Speaks HTTP/1.1 on the connections of a `net` or `tls` server, strictly: what two readers might read in two ways is
 * answered 400 and the connection closed. Requests of one connection are handled one at a time, in order.
 */
export class Http1Server implements ConnectionNeeds {
  readonly headBounds: LineBounds;
  draining = false;
  turn = 0;
  /** What it listens on. */
  readonly sockets: NetServer;
  readonly #limits: Http1Limits;
  readonly #handler: Http1Handler;
  readonly #clock: Clock;
  readonly #connections = new Set<ServerConnection>();
  /** Also those that still prove who they are. */
  readonly #open = new Set<Socket>();
  readonly #stopTurning: () => void;
  readonly #keepAliveText: string;
  #date = '';

  constructor(sockets: NetServer, limits: Http1Limits, clock: Clock, handler: Http1Handler) {
    this.sockets = sockets;
    this.#limits = limits;
    this.#clock = clock;
    this.#handler = handler;
    this.headBounds = { maxBytes: limits.maxHeadBytes, maxLines: limits.maxHeaders + 1 };
    const idleSeconds = Math.max(1, Math.floor(limits.idleTimeoutMs / 1000));
    this.#keepAliveText = `Connection: keep-alive\r\nKeep-Alive: timeout=${idleSeconds}\r\n\r\n`;
    this.#readDate();
    sockets.maxConnections = limits.maxConnections;
    if (sockets instanceof TlsServer) {
      sockets.on('connection', this.#opened);
      sockets.on('secureConnection', this.#connected);
    } else sockets.on('connection', this.#accepted);
    this.#stopTurning = clock.every(turnMs, () => this.#look());
  }

  /** Takes no more connections; each of those that are open ends with its next answer. */
  drain(): void {
    this.draining = true;
    this.sockets.close();
  }

  /** Ends everything; answers under way break off. */
  close(): void {
    this.draining = true;
    this.#stopTurning();
    this.sockets.close();
    for (const socket of this.#open) socket.destroy();
  }

  handle(request: Http1Incoming, response: Http1Outgoing): void {
    this.#handler(request, response);
  }

  tail(keepAlive: boolean, dated: boolean): string {
    const text = keepAlive ? this.#keepAliveText : 'Connection: close\r\n\r\n';
    return dated ? text : this.#date + text;
  }

  gone(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  readonly #accepted = (given: Socket): void => {
    const socket = reread(given);
    this.#opened(socket);
    this.#connected(socket);
  };

  readonly #opened = (socket: Socket): void => {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  };

  readonly #connected = (socket: Socket): void => {
    socket.setNoDelay(true);
    this.#connections.add(new ServerConnection(socket, this));
  };

  #look(): void {
    this.turn += 1;
    this.#readDate();
    for (const connection of this.#connections) this.#judge(connection);
  }

  #judge(connection: ServerConnection): void {
    const { phase, socket } = connection;
    const lastedMs = (this.turn - connection.since - 1) * turnMs;
    switch (phase) {
      case 'idle':
        if (lastedMs >= this.#limits.idleTimeoutMs) socket.destroy();
        return;
      case 'head':
        if (lastedMs >= this.#limits.headTimeoutMs) connection.refuse(headTimeout);
        return;
      case 'busy':
        return connection.judgeIntake(this.turn * turnMs, this.#limits.leastIntake);
      case 'lingering':
        if (lastedMs >= this.#limits.lingerMs) socket.destroy();
        return;
    }
  }

  #readDate(): void {
    this.#date = `Date: ${new Date(this.#clock.now()).toUTCString()}\r\n`;
  }
}

const headTimeout = new Fault(408, 'The head of the request did not come in time.');
