import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from './gateway.ts';
import { listen } from './listen.ts';
import { call } from './node.fixture.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-sock-'));
  path = join(folder, 'system.sock');
});

afterEach(async () => rm(folder, { recursive: true, force: true }));

const gateway: Gateway = { fetch: async (_request, { audience }) => new Response(audience) };

/** Answers when told to; `running` resolves when it was asked. */
const slowGateway = () => {
  const asked = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const gateway: Gateway = {
    fetch: async () => {
      asked.resolve();
      await done.promise;
      return new Response('late');
    },
  };
  return { gateway, running: asked.promise, finish: () => done.resolve() };
};

/** A socket file whose process is gone, as kill -9 leaves it. */
const leaveStaleSocket = async (): Promise<void> => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.old`, resolve);
  });
  await rename(`${path}.old`, path);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
};

describe('listening on a unix socket', () => {
  it('opens it to this user alone and tells the gateway who may come', async () => {
    const listener = await listen(gateway, 'peer', path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await call(path, 'GET', '/')).toMatchObject({ status: 200, body: 'peer' });
    await listener.close(1000);
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes the place of a socket that nobody serves any more', async () => {
    await leaveStaleSocket();
    const listener = await listen(gateway, 'public', path);
    expect(await call(path, 'GET', '/')).toMatchObject({ body: 'public' });
    await listener.close(1000);
  });

  it('leaves a socket alone that is served', async () => {
    const first = await listen(gateway, 'public', path);
    await expect(listen(gateway, 'peer', path)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await call(path, 'GET', '/')).toMatchObject({ body: 'public' });
    await first.close(1000);
  });

  it('never deletes what is no socket', async () => {
    await writeFile(path, 'precious');
    await expect(listen(gateway, 'public', path)).rejects.toMatchObject({ code: 'invalid' });
    expect((await stat(path)).size).toBe(8);
  });

  it('says that a path is too long for a socket', async () => {
    await expect(listen(gateway, 'public', join(folder, 'x'.repeat(120)))).rejects.toThrow('shorter data folder');
  });

  it('lets a running call finish when it closes', async () => {
    const { gateway, running, finish } = slowGateway();
    const listener = await listen(gateway, 'public', path);
    const answer = call(path, 'GET', '/', { headers: { connection: 'close' } });
    await running;
    const closed = listener.close(60_000);
    finish();
    expect(await answer).toMatchObject({ body: 'late' });
    await closed;
  });

  it('cuts a call that runs for longer than it may wait', async () => {
    const { gateway, running } = slowGateway();
    const listener = await listen(gateway, 'public', path);
    const refused = expect(call(path, 'GET', '/')).rejects.toThrow();
    await running;
    await listener.close(20);
    await refused;
  });

  it('answers a request that is no HTTP with a plain refusal', async () => {
    const listener = await listen(gateway, 'public', path);
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(path, () => socket.end('no http\r\n\r\n'));
      let received = '';
      socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    await listener.close(1000);
  });
});
