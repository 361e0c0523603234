import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { read } from '../calls.testing.ts';
import { readingInto, reread } from './reading.ts';

/** A server, and one of its connections from both ends; each end reads into the buffer that is used again. */
const connected = async (): Promise<{ server: Server; here: Socket; there: Socket }> => {
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => {
    server.once('connection', (socket: Socket) => resolve(reread(socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const here: Socket = connect({ port, host: '127.0.0.1', onread: readingInto(() => here) });
  const there = await accepted;
  onTestFinished(() => {
    here.destroy();
    there.destroy();
    server.close();
  });
  return { server, here, there };
};

const collected = (socket: Socket, length: number): Promise<readonly Buffer[]> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (chunks.reduce((sum, { length: one }) => sum + one, 0) >= length) resolve(chunks);
    });
  });

it('what was read stays as it came when more is read, short and long', async () => {
  const { here, there } = await connected();
  for (const size of [1, 100, 5_000, 300_000]) {
    const sent = Array.from({ length: 20 }, (_, index) => Buffer.alloc(size, 'a'.charCodeAt(0) + index));
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      const got = collected(to, 20 * size);
      for (const part of sent) if (!from.write(part)) await once(from, 'drain');
      expect(Buffer.concat(await got).equals(Buffer.concat(sent))).toBe(true);
      to.removeAllListeners('data');
    }
  }
});

it('a connection that is paused reads nothing, and the next that reads it as a stream gets the rest in order', async () => {
  const { here, there } = await connected();
  const first = read(there, 4);
  here.write('one ');
  await first;
  there.pause();
  there.unshift('rest of one, ');
  here.end('two');
  let text = '';
  for await (const chunk of there) text += String(chunk);
  expect(text).toBe('rest of one, two');
});

it('the server knows when its last connection has ended', async () => {
  const { server, here, there } = await connected();
  const count = () =>
    new Promise((resolve) => void server.getConnections((_error, connections) => resolve(connections)));
  expect(await count()).toBe(1);
  expect(there.remotePort).toBe(here.localPort);
  const closed = once(server, 'close');
  server.close();
  there.resume();
  here.resume();
  here.end();
  await closed;
  expect(await count()).toBe(0);
});
