import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FunctionSpec } from '../provider.ts';
import type { Slot } from './folders.ts';
import type { LaunchNeeds } from './replica.ts';
import type { Room } from './room.ts';

type Values = ReadonlyMap<string, Uint8Array>;

/** The secrets that a deployment names. Throws while one has not reached this node. */
export const secretsOf = (needs: Pick<LaunchNeeds, 'secrets'>, spec: FunctionSpec): Values => {
  const names = spec.deployment.secrets ?? [];
  return names.length === 0 ? new Map() : needs.secrets(spec.ref.namespace, names);
};

/** Puts them where one replica alone looks: read-only files of its own, which go with it. */
export const placeSecrets = async (values: Values, folder: string): Promise<void> => {
  if (values.size === 0) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, value] of values) await writeFile(join(folder, name), value, { mode: 0o400 });
};

/** Where a program that is yet to start finds its secrets. */
export type Delivered = {
  /** For `SECRETS_PATH`. */
  readonly path: string;
  /** It has to start in there. Undefined where it has no secrets, and where there are no mount namespaces. */
  readonly room: Room | undefined;
};

/** For programs that begin with their secrets; a worker of the pool gets its own when it becomes a function. */
export const deliverSecrets = async (
  needs: Pick<LaunchNeeds, 'secrets' | 'mounts'>,
  spec: FunctionSpec,
  slot: Pick<Slot, 'secrets'>,
): Promise<Delivered> => {
  const values = secretsOf(needs, spec);
  const mounts = values.size === 0 ? undefined : await needs.mounts();
  if (mounts === undefined) {
    await placeSecrets(values, slot.secrets);
    return { path: slot.secrets, room: undefined };
  }
  const room = await mounts.open();
  try {
    await placeSecrets(values, room.folder);
    await room.seal();
    return { path: mounts.path, room };
  } catch (error) {
    room.close();
    throw error;
  }
};
