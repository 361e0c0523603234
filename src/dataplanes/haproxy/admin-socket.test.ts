import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { AdminSocket } from './admin-socket.ts';

/** Speaks as HAProxy does on its admin socket, for as long as it has anything to say. */
const speaking = async (answers: readonly string[]): Promise<string> => {
  const path = join(await mkdtemp(join(tmpdir(), 'skein-admin-')), 's');
  const sockets = new Set<Socket>();
  const left = [...answers];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => void socket.write(left.shift() ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(join(path, '..'), { recursive: true, force: true });
  });
  return path;
};

it('ends where HAProxy falls silent, however often it is asked', async () => {
  const admin = await AdminSocket.open(await speaking(['\n> ', 'yes\n\n> ']), 5_000, 200);
  expect(await admin.ask('first')).toBe('yes');
  const asking = setInterval(() => void admin.ask('again').catch(() => undefined), 10);
  onTestFinished(() => clearInterval(asking));
  await expect(admin.ask('second')).rejects.toThrow('HAProxy closed its admin socket');
  await admin.closed;
});
