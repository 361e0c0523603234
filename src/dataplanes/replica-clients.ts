import type { Clock } from '../std/clock.ts';
import type { Address, ReplicaPlan } from '../routing/plan.ts';
import type { Call } from './call.ts';
import type { RawHeaders } from './headers.ts';
import type { ClientBody } from './http1/client-exchange.ts';
import { Http1Client, type ClientLimits } from './http1/client.ts';
import { dialTo } from './http1/dial.ts';
import { KeptClients } from './kept-clients.ts';
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
  readonly #clients = new KeptClients();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  send(replica: ReplicaPlan, call: Call, headers: RawHeaders, events: ReplicaEvents): void {
    call.begin();
    call.carrier = this.#client(replica).request(
      {
        method: call.request.method,
        target: call.path,
        headers,
        body: bodyOf(call),
        upgrade: call.upgrade?.protocol,
      },
      events,
    );
  }

  /** Closes what leads to replicas that are gone; what runs there is finished. */
  retain(ids: ReadonlySet<string>): void {
    this.#clients.retain(ids);
  }

  /** Ends every connection, also those in use. */
  close(): void {
    this.#clients.close();
  }

  #client({ id, address }: ReplicaPlan): Http1Client {
    return this.#clients.at(id, placeOf(address), () => new Http1Client(dialTo(address), limits, this.#clock));
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

const placeOf = (address: Address): string =>
  address.kind === 'unix' ? address.path : `${address.host} ${address.port}`;
