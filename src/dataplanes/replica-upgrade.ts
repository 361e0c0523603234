import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Address } from '../routing/plan.ts';
import type { Call } from './call.ts';
import type { Upgrade } from './exchange.ts';
import type { RawHeaders } from './headers.ts';
import type { ReplicaEvents } from './replica-events.ts';

/** Sends a call that asks for another protocol, on a connection of its own. */
export const sendUpgrade = (
  address: Address,
  call: Call,
  headers: RawHeaders,
  upgrade: Upgrade,
  events: ReplicaEvents,
): void => {
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const request = httpRequest({
    ...where,
    agent: false,
    method: call.request.method,
    path: call.path,
    headers: [...headers, 'Connection', 'Upgrade', 'Upgrade', upgrade.protocol],
    setDefaultHeaders: false,
  });
  let connected = false;
  let settled = false;
  const fail = (error: Error): void => {
    if (settled) return;
    settled = true;
    request.destroy();
    events.fail(error, connected);
  };
  call.cancel = fail;
  request.once('socket', (socket) => socket.once('connect', () => (connected = true)));
  request.on('error', fail);
  request.once('upgrade', (response, socket: Duplex, head: Buffer) => {
    settled = true;
    if (head.length > 0) socket.unshift(head);
    events.upgraded(response.rawHeaders, socket);
  });
  request.once('response', (response) => {
    response.on('data', (chunk: Buffer) => {
      if (!events.data(chunk, () => response.resume())) response.pause();
    });
    response.once('end', () => {
      if (settled) return;
      settled = true;
      events.end();
    });
    response.once('error', fail);
    events.head(response.statusCode ?? 502, response.rawHeaders);
  });
  request.end();
};
