import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Built } from '../builder/build.ts';
import { UsageError } from './usage-error.ts';
import type { Client } from './client.ts';
import { terminalLog } from './terminal-log.ts';

/**
 * Builds a folder and stores the bundle at the gateway under its image name. Leaves nothing on this machine. `fprocess` is
 * the program of a folder that says nothing of itself.
 */
export const buildAndPush = async (
  folder: string,
  image: string,
  client: Client,
  fprocess?: string,
): Promise<Built> => {
  const { build } = await import('../builder/build.ts');
  const work = await mkdtemp(join(tmpdir(), 'skein-build-'));
  try {
    const out = join(work, 'bundle.tar.gz');
    const built = await build({
      folder,
      image,
      out,
      log: terminalLog,
      ...(fprocess === undefined ? {} : { fprocess }),
    });
    await pushBundle(built, out, client);
    return built;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

export const pushBundle = ({ digest, image, bytes }: Built, file: string, client: Client): Promise<void> =>
  client.putBundle(digest, image, createReadStream(file), bytes);

/** What a function is called after its folder. */
export const nameOfFolder = (folder: string): string => {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  if (name !== '') return name.slice(0, 63);
  throw new UsageError(`no name can be made of the folder ${folder}: say one (--name or --image)`);
};
