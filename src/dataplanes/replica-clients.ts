import { Pool, type Dispatcher } from 'undici';
import type { Address, ReplicaPlan } from '../routing/plan.ts';
import type { Call } from './call.ts';
import { bodyStream } from './exchange.ts';
import type { ReplicaEvents } from './replica-events.ts';
import { sendUpgrade } from './replica-upgrade.ts';
import type { RawHeaders } from './headers.ts';

/** Connections to replicas, kept alive and reused last-in first-out; one pool a replica. */
export class ReplicaClients {
  readonly #pools = new Map<string, { readonly pool: Pool; readonly address: Address }>();

  send(replica: ReplicaPlan, call: Call, headers: RawHeaders, events: ReplicaEvents): void {
    if (call.upgrade !== undefined) return sendUpgrade(replica.address, call, headers, call.upgrade, events);
    const exchange = new Exchange(events);
    call.cancel = (why) => exchange.cancel(why);
    const { body } = call;
    call.begin();
    // Not the request itself: a body that is not wanted any more must not take the answer's connection with it.
    this.#pool(replica).dispatch(
      {
        path: call.path,
        method: call.request.method ?? 'GET',
        headers,
        body: body.kind === 'kept' ? body.bytes : body.kind === 'stream' ? bodyStream(call.request) : null,
      },
      exchange,
    );
  }

  /** Closes what leads to replicas that are gone; what runs there is finished. */
  retain(ids: ReadonlySet<string>): void {
    for (const [id, { pool }] of this.#pools) {
      if (ids.has(id)) continue;
      this.#pools.delete(id);
      // Closing waits for running requests; a failure to close says nothing that a request did not say already.
      pool.close().catch(() => undefined);
    }
  }

  /** Ends every connection, also those in use. */
  close(): void {
    for (const { pool } of this.#pools.values()) pool.destroy().catch(() => undefined);
    this.#pools.clear();
  }

  #pool(replica: ReplicaPlan): Pool {
    const { address } = replica;
    const known = this.#pools.get(replica.id);
    if (known !== undefined && isSame(known.address, address)) return known.pool;
    known?.pool.close().catch(() => undefined);
    const pool = open(address);
    this.#pools.set(replica.id, { pool, address });
    return pool;
  }
}

const isSame = (one: Address, other: Address): boolean =>
  one.kind === 'unix'
    ? other.kind === 'unix' && one.path === other.path
    : other.kind === 'tcp' && one.port === other.port && one.host === other.host;

/** Time is kept by the call, so that it ends with one reason wherever it is: the client's own timeouts are off. */
const open = (address: Address): Pool => {
  const options: Pool.Options = {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 60_000,
    keepAliveMaxTimeout: 600_000,
    connectTimeout: 5_000,
  };
  return address.kind === 'unix'
    ? new Pool('http://replica', { ...options, socketPath: address.path })
    : new Pool(`http://${address.host}:${address.port}`, options);
};

class Exchange implements Dispatcher.DispatchHandler {
  readonly #events: ReplicaEvents;
  #controller: Dispatcher.DispatchController | undefined;
  #cancelled: Error | undefined;

  constructor(events: ReplicaEvents) {
    this.#events = events;
  }

  cancel(why: Error): void {
    this.#cancelled = why;
    this.#controller?.abort(why);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled !== undefined) controller.abort(this.#cancelled);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#events.head(status, (controller.rawHeaders ?? []) as (string | Buffer)[]);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#events.data(chunk, () => controller.resume())) controller.pause();
  }

  onResponseEnd(): void {
    this.#events.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#events.fail(error, this.#controller !== undefined || !isUnreachable(error));
  }
}

/** What the client itself objects to, such as a header that cannot be sent, is no fault of the replica. */
const isUnreachable = (error: Error & { readonly code?: unknown }): boolean =>
  error.code !== 'UND_ERR_INVALID_ARG' && error.code !== 'UND_ERR_NOT_SUPPORTED';
