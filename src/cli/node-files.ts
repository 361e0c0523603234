import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removePidFile } from '../std/pid-file.ts';
import { removeRunFolder } from './run-folder.ts';

export const adminPasswordFile = (data: string): string => join(data, 'admin-password');
export const federationKeyFile = (data: string): string => join(data, 'federation.key');

export const newPassword = (): string => `${randomBytes(24).toString('base64url')}\n`;

/** What a node that was killed left behind on disk, once its processes are ended. */
export const sweepNodeFiles = async (folder: string): Promise<void> => {
  for (const name of ['agent.pid', 'plane.pid']) removePidFile(join(folder, name));
  await removeRunFolder(folder);
  await rm(join(folder, 'plan.json.new'), { force: true });
};
