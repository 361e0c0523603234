import { connect, type Socket } from 'node:net';
import type { Address } from '../../routing/plan.ts';

/**
 * Begins a connection. `settle` is called once: without an error when it stands and the other side is who it should be.
 * Until then nothing is written to it.
 */
export type Dial = (settle: (error: Error | undefined) => void) => Socket;

/** To an address, without proof of who answers. */
export const dialTo =
  (address: Address): Dial =>
  (settle) => {
    const socket =
      address.kind === 'unix'
        ? connect({ path: address.path })
        : connect({ host: address.host, port: address.port, noDelay: true });
    socket.once('connect', () => settle(undefined));
    socket.once('error', settle);
    return socket;
  };
