import type { Socket } from 'node:net';
import { SkeinError } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { ClientConnection, type ConnectionOwner } from './client-connection.ts';
import { ClientExchange, type Carrier, type ClientEvents, type ClientRequest } from './client-exchange.ts';
import type { Dial } from './dial.ts';
import type { LineBounds } from './line-scanner.ts';
import { requestHead } from './request-writer.ts';

export type ClientLimits = {
  /** Of an answer's head. */
  readonly maxHeadBytes: number;
  readonly maxHeaders: number;
  readonly maxConnections: number;
  /** Requests that wait for a connection; more fail at once. */
  readonly maxWaiting: number;
  readonly connectTimeoutMs: number;
  /** How long an unused connection is kept; shorter where the server says so. */
  readonly idleTimeoutMs: number;
};

/** How often unused connections are looked at. */
const turnMs = 500;

/** Before a server closes an unused connection this one must have stopped using it. */
const marginMs = 1_000;

/**
 * Kept-alive connections to one server, each with one request at a time; the one used last is used first. A request
 * that finds none free waits for the first that is opened or becomes free. `fail` of a request carries `unavailable`
 * where the server could not be reached.
 */
export class Http1Client implements ConnectionOwner, Carrier {
  readonly headBounds: LineBounds;
  readonly #dial: Dial;
  readonly #limits: ClientLimits;
  readonly #clock: Clock;
  readonly #connections = new Set<ClientConnection>();
  readonly #dialling = new Set<Socket>();
  readonly #idle: { readonly connection: ClientConnection; readonly until: number }[] = [];
  readonly #waiting: ClientExchange[] = [];
  #stopTurning: (() => void) | undefined;
  #turn = 0;
  #retired = false;

  constructor(dial: Dial, limits: ClientLimits, clock: Clock) {
    this.#dial = dial;
    this.#limits = limits;
    this.#clock = clock;
    this.headBounds = { maxBytes: limits.maxHeadBytes, maxLines: limits.maxHeaders + 1 };
  }

  request(request: ClientRequest, events: ClientEvents): ClientExchange {
    const exchange = this.#exchange(request, events);
    if (exchange.head === '') return exchange;
    const free = this.#idle.pop();
    if (free !== undefined) free.connection.start(exchange);
    else this.#wait(exchange);
    return exchange;
  }

  /** Opens connections until there are `count`, so that the first requests find them. */
  warm(count: number): void {
    while (this.#connections.size + this.#dialling.size < Math.min(count, this.#limits.maxConnections)) this.#open();
  }

  /** Closes what is unused now, and the rest as each request ends. */
  retire(): void {
    this.#retired = true;
    for (const { connection } of [...this.#idle]) connection.close();
  }

  /** Ends every connection; requests under way fail. */
  destroy(): void {
    this.#retired = true;
    for (const socket of this.#dialling) socket.destroy();
    for (const exchange of this.#waiting.splice(0)) exchange.fail(unavailable('the client was closed'), false);
    for (const connection of [...this.#connections]) connection.close();
  }

  free(connection: ClientConnection, keptMs: number | undefined): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return connection.start(next);
    if (this.#retired) return connection.close();
    const idleMs = Math.min(this.#limits.idleTimeoutMs, (keptMs ?? Number.POSITIVE_INFINITY) - marginMs);
    if (idleMs < turnMs) return connection.close();
    this.#idle.push({ connection, until: this.#turn + Math.floor(idleMs / turnMs) });
  }

  gone(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    const index = this.#idle.findIndex((one) => one.connection === connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#openForWaiting();
    this.#restUnlessNeeded();
  }

  /** Of a request that waits for a connection. */
  cancel(exchange: ClientExchange, why: Error): void {
    const index = this.#waiting.indexOf(exchange);
    if (index >= 0) this.#waiting.splice(index, 1);
    exchange.fail(why, false);
  }

  send(): void {
    // Its body is asked for on a connection only.
  }

  resume(): void {
    // Nothing is read for it yet.
  }

  /** Without a head where the request cannot be sent; then it fails. */
  #exchange(request: ClientRequest, events: ClientEvents): ClientExchange {
    try {
      return new ClientExchange(request, requestHead(request), events, this);
    } catch (error) {
      const exchange = new ClientExchange(request, '', events, this);
      // The fault is the request's own: no other server would do better.
      process.nextTick(() => exchange.fail(error as Error, true));
      return exchange;
    }
  }

  #wait(exchange: ClientExchange): void {
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      process.nextTick(() => exchange.fail(unavailable('too many requests wait for a connection'), false));
      return;
    }
    this.#waiting.push(exchange);
    this.#openForWaiting();
  }

  #openForWaiting(): void {
    const { maxConnections } = this.#limits;
    while (
      this.#waiting.length > this.#dialling.size &&
      this.#connections.size + this.#dialling.size < maxConnections
    ) {
      this.#open();
    }
  }

  #open(): void {
    let settled = false;
    const settle = (error: Error | undefined): void => {
      if (settled) return;
      settled = true;
      cancel();
      this.#dialling.delete(socket);
      if (error === undefined) this.#opened(socket);
      else this.#failed(socket, error);
    };
    const socket = this.#dial(settle);
    const { connectTimeoutMs } = this.#limits;
    const cancel = this.#clock.after(connectTimeoutMs, () => {
      settle(unavailable(`no connection was made in ${connectTimeoutMs} ms`));
    });
    this.#dialling.add(socket);
    socket.once('close', () => settle(unavailable('the connection was closed before it stood')));
    this.#stopTurning ??= this.#clock.every(turnMs, () => this.#look());
  }

  #opened(socket: Socket): void {
    const connection = new ClientConnection(socket, this);
    this.#connections.add(connection);
    this.free(connection, undefined);
  }

  /** Of the requests that wait for a connection the oldest is told, so that each failure ends one wait. */
  #failed(socket: Socket, error: Error): void {
    socket.destroy();
    if (this.#waiting.length > this.#dialling.size) this.#waiting.shift()?.fail(error, false);
    // There may be more who wait than connections may be made at once.
    this.#openForWaiting();
    this.#restUnlessNeeded();
  }

  #look(): void {
    this.#turn += 1;
    for (const { connection, until } of [...this.#idle]) if (until <= this.#turn) connection.close();
  }

  #restUnlessNeeded(): void {
    if (this.#connections.size + this.#dialling.size > 0) return;
    this.#stopTurning?.();
    this.#stopTurning = undefined;
  }
}

const unavailable = (message: string): SkeinError => new SkeinError('unavailable', message);
