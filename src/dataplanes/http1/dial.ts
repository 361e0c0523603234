import { connect, type Socket } from 'node:net';
import type { Address } from '../../routing/plan.ts';
import { readingInto } from './reading.ts';

/**
 * Begins a connection. `settle` is called once: without an error when it stands and the other side is who it should be.
 * Until then nothing is written to it.
 */
export type Dial = (settle: (error: Error | undefined) => void) => Socket;

/** To an address, without proof of who answers. */
export const dialTo =
  (address: Address): Dial =>
  (settle) => {
    const onread = readingInto(() => socket);
    const socket: Socket =
      address.kind === 'unix'
        ? connect({ path: address.path, onread })
        : connect({ host: address.host, port: address.port, noDelay: true, onread });
    socket.once('connect', () => settle(undefined));
    socket.once('error', settle);
    return socket;
  };
