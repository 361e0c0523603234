import type { Http1Client } from './http1/client.ts';

/** Clients of places that come and go, one a place; a new one where a place is found somewhere else. */
export class KeptClients {
  readonly #clients = new Map<string, { readonly client: Http1Client; readonly where: string }>();

  has(id: string): boolean {
    return this.#clients.has(id);
  }

  /** `where`: all that a connection there depends on, as one text. */
  at(id: string, where: string, make: () => Http1Client): Http1Client {
    const known = this.#clients.get(id);
    if (known?.where === where) return known.client;
    known?.client.retire();
    const client = make();
    this.#clients.set(id, { client, where });
    return client;
  }

  /** Closes what leads to places that are gone; what runs there is finished. */
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
}
