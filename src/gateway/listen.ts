import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { SkeinError, messageOf } from '../domain/errors.ts';
import type { Gateway } from './gateway.ts';
import type { Audience } from './routes.ts';

export type Listener = {
  /** Takes nothing new, waits at most `drainMs` for what runs, and removes the socket. */
  close(drainMs: number): Promise<void>;
};

/** A socket's path may be 107 bytes; a few are needed for the name it has before it is ready. */
const maxPathBytes = 100;

/** A bundle of the largest size over a slow line. */
const requestMs = 600_000;

/**
 * Serves `gateway` to one audience on a unix socket that only this user may open. A socket that a dead process left is
 * replaced; `unavailable` when a living one answers there, `invalid` when the path cannot be a socket.
 */
export const listen = async (gateway: Gateway, audience: Audience, path: string): Promise<Listener> => {
  await checkPath(path);
  const server = createAdaptorServer({
    fetch: (request: Request) => gateway.fetch(request, { audience }),
    overrideGlobalObjects: false,
    serverOptions: { requestTimeout: requestMs, keepAliveTimeout: 60_000 },
  }) as Server;
  // Under another name until its mode is set, so that nobody else can open it in between.
  const early = `${path}.new`;
  await rm(early, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(path, messageOf(cause))));
    server.listen(early, resolve);
  });
  await chmod(early, 0o600);
  await rename(early, path);
  const { ino } = await lstat(path);
  return { close: (drainMs) => close(server, path, ino, drainMs) };
};

const checkPath = async (path: string): Promise<void> => {
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw new SkeinError('invalid', `${path} is longer than ${maxPathBytes} bytes: choose a shorter data folder`);
  }
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) throw new SkeinError('invalid', `${path} is there and is no socket: move it away`);
  if (await answers(path)) throw cannotListen(path, 'another process serves there');
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => resolve(true));
    probe.once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });

const close = async (server: Server, path: string, ino: number, drainMs: number): Promise<void> => {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const impatience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(impatience);
  // A successor may have put its own socket there by now.
  const there = await lstat(path).catch(() => undefined);
  if (there?.ino === ino) await rm(path, { force: true });
};

const cannotListen = (path: string, why: string): SkeinError =>
  new SkeinError('unavailable', `cannot listen on ${path}: ${why}`);
