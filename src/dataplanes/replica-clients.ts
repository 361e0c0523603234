import type { Clock } from '../std/clock.ts';
import type { Address, ReplicaPlan } from '../routing/plan.ts';
import type { Call } from './call.ts';
import type { RawHeaders } from './headers.ts';
import type { ClientBody } from './http1/client-exchange.ts';
import { Http1Client, type ClientLimits } from './http1/client.ts';
import { dialTo } from './http1/dial.ts';
import type { ReplicaEvents } from './replica-events.ts';

/** Time is kept by the call, so that it ends with one reason wherever it is; connecting is the client's own matter. */
const limits: ClientLimits = {
  maxHeadBytes: 64 * 1024,
  maxHeaders: 1_000,
  // More than a replica runs at once, unless a node has very many slots: then calls wait for one that is free.
  maxConnections: 4_096,
  maxWaiting: 65_536,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 60_000,
};

/** Connections to replicas, kept alive and reused last-in first-out; one client a replica. */
export class ReplicaClients {
  readonly #clock: Clock;
  readonly #clients = new Map<string, { readonly client: Http1Client; readonly address: Address }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  send(replica: ReplicaPlan, call: Call, headers: RawHeaders, events: ReplicaEvents): void {
    call.begin();
    const exchange = this.#client(replica).request(
      {
        method: call.request.method,
        target: call.path,
        headers,
        body: bodyOf(call),
        upgrade: call.upgrade?.protocol,
      },
      events,
    );
    call.cancel = (why) => exchange.cancel(why);
  }

  /** Closes what leads to replicas that are gone; what runs there is finished. */
  retain(ids: ReadonlySet<string>): void {
    for (const [id, { client }] of this.#clients) {
      if (ids.has(id)) continue;
      this.#clients.delete(id);
      client.retire();
    }
  }

  /** Ends every connection, also those in use. */
  close(): void {
    for (const { client } of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }

  #client({ id, address }: ReplicaPlan): Http1Client {
    const known = this.#clients.get(id);
    if (known !== undefined && isSame(known.address, address)) return known.client;
    known?.client.retire();
    const client = new Http1Client(dialTo(address), limits, this.#clock);
    this.#clients.set(id, { client, address });
    return client;
  }
}

const bodyOf = ({ body, request }: Call): ClientBody => {
  switch (body.kind) {
    case 'none':
      return body;
    case 'kept':
      return { kind: 'bytes', bytes: body.bytes };
    case 'stream':
      return { kind: 'stream', source: request, length: body.length };
  }
};

const isSame = (one: Address, other: Address): boolean =>
  one.kind === 'unix'
    ? other.kind === 'unix' && one.path === other.path
    : other.kind === 'tcp' && one.port === other.port && one.host === other.host;
