import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { createIdentity } from '../../membership/identity.ts';
import { systemClock } from '../../std/clock.ts';
import { selfSigned } from '../certificate.ts';
import { channelOptions } from '../peer-channel.ts';
import { Http1Client } from './client.ts';
import type { Dial } from './dial.ts';
import { limits } from './served.testing.ts';
import { Http1Server, type Http1Handler } from './server.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server and a client of it that proves nothing to each other but that both speak TLS. */
const both = async (handler: Http1Handler) => {
  const credentials = await selfSigned(createIdentity().privateKey, Date.now());
  const sockets = createServer(channelOptions(credentials));
  const server = new Http1Server(sockets, limits, systemClock, handler);
  sockets.listen(0, '127.0.0.1');
  await once(sockets, 'listening');
  const { port } = sockets.address() as AddressInfo;
  const dial: Dial = (settle) => {
    const socket = connect({ host: '127.0.0.1', port, ...channelOptions(credentials) });
    socket.once('secureConnect', () => settle(undefined));
    socket.once('error', settle);
    return socket;
  };
  const client = new Http1Client(dial, { ...limits, maxWaiting: 10, connectTimeoutMs: 5_000 }, systemClock);
  ends.push(
    () => server.close(),
    () => client.destroy(),
  );
  return { client, server };
};

const ask = (client: Http1Client, body: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    client.request(
      { method: 'POST', target: '/', headers: [], body: { kind: 'bytes', bytes: body } },
      {
        head: () => undefined,
        data: (chunk) => parts.push(chunk) > 0,
        end: () => resolve(Buffer.concat(parts).toString('latin1')),
        fail: reject,
      },
    );
  });

it('speaks over TLS, again and again, long and short', async () => {
  const seen = new Set<unknown>();
  const { client } = await both((request, response) => {
    seen.add(request.socket);
    response.writeProcessing();
    request.on('data', (chunk) => {
      if (response.write(chunk)) return;
      request.pause();
      response.once('drain', () => request.resume());
    });
    request.once('end', () => response.end());
  });
  for (const length of [0, 1, 5_000, 2_000_000, 10]) {
    const body = Buffer.alloc(length, 'x');
    expect((await ask(client, body)).length).toBe(length);
  }
  expect(seen.size).toBe(1);
});

it('ends channels that are still proving who they are', async () => {
  const { server, client } = await both((_request, response) => void response.end());
  const asking = ask(client, Buffer.alloc(0));
  server.close();
  await expect(asking).rejects.toThrow();
});
