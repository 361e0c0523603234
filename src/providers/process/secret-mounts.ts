import { spawn } from 'node:child_process';
import { chmod, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { findOnPath } from './find-command.ts';
import { openRoom, type Room, type RoomNeeds } from './room.ts';

/** Where functions written for OpenFaaS look for their secrets. */
const openfaasSecrets = '/var/openfaas/secrets';

/** How each replica gets a folder of its own for its secrets, at a path that is the same for all. */
export type SecretMounts = {
  /** The path, as replicas see it. */
  readonly path: string;
  /** The folder of a process that was started in a room, as this process sees it. */
  folderOf(pid: number): string;
  /** `unavailable`. */
  open(): Promise<Room>;
};

/** Why replicas get no such folder on this machine. */
export type NoMounts = { readonly why: string };

const tryOutMs = 10_000;

/** Makes the folder `/var/openfaas/secrets` if it may, and finds out what works on this machine. Never rejects. */
export const prepareSecretMounts = async (clock: Clock): Promise<SecretMounts | NoMounts> => {
  await makeFolder(openfaasSecrets).catch(() => {});
  return findSecretMounts(clock, openfaasSecrets);
};

/** Nodes of other users are to find it too. Without it each of their replicas needs another `/var`, which takes longer. */
const makeFolder = async (path: string): Promise<void> => {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) await chmod(folder, 0o755);
};

/**
 * Tries what works: as root mount namespaces, else user namespaces with them, in which a replica is the same user and
 * has no further rights. Never rejects.
 */
export const findSecretMounts = async (clock: Clock, path: string): Promise<SecretMounts | NoMounts> => {
  const kinds = process.getuid?.() === 0 ? (['root', 'user'] as const) : (['user'] as const);
  let why = '';
  for (const kind of kinds) {
    try {
      const needs: RoomNeeds = { clock, kind, tools: await findTools(), ...(await findPlace(path)) };
      const mounts: SecretMounts = {
        path,
        folderOf: (pid) => `/proc/${pid}/root${needs.place}`,
        open: () => openRoom(needs),
      };
      await tryOut(mounts);
      return mounts;
    } catch (error) {
      why = messageOf(error);
    }
  }
  return { why };
};

const findTools = async (): Promise<RoomNeeds['tools']> => {
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const find = async (name: string): Promise<string> => {
    const found = await findOnPath(name, path);
    if (found === undefined) throw new SkeinError('unavailable', `there is no "${name}" on PATH`);
    return found;
  };
  return {
    unshare: await find('unshare'),
    nsenter: await find('nsenter'),
    mount: await find('mount'),
    sh: await find('sh'),
  };
};

/** Without symbolic links: from outside they would lead outside. */
const findPlace = async (path: string): Promise<Pick<RoomNeeds, 'place' | 'base'>> => {
  for (let above = path; above !== '/'; above = dirname(above)) {
    const base = await realpath(above).catch(() => undefined);
    if (base !== undefined) return { base, place: join(base, relative(above, path)) };
  }
  throw new SkeinError('unavailable', `no folder of ${path} is there`);
};

const tryOut = async (mounts: SecretMounts): Promise<void> => {
  const room = await mounts.open();
  try {
    await writeFile(join(room.folder, 'probe'), 'seen\n', { mode: 0o400 });
    await room.seal();
    const read = ['-c', 'read -r word <"$1" && printf %s "$word"', 'sh', join(mounts.path, 'probe')];
    const { command, args } = room.enter({ command: '/bin/sh', args: read, folder: '/' });
    const child = spawn(command, args, { env: {}, stdio: ['ignore', 'pipe', 'pipe'], timeout: tryOutMs });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let said = '';
    for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject).on('close', () => resolve(said.trim()));
    if ((await promise) !== 'seen') throw new SkeinError('unavailable', said.trim());
  } finally {
    room.close();
  }
};
