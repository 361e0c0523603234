import type { ClientEvents } from './http1/client-exchange.ts';

/**
 * What comes back from a replica, or does not. `fail` with `sent` false only where the replica cannot be reached and has
 * seen nothing: another may be asked.
 */
export type ReplicaEvents = Required<Omit<ClientEvents, 'sent' | 'interim'>>;
