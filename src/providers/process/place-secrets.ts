import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FunctionSpec } from '../provider.ts';
import type { Slot } from './folders.ts';
import type { LaunchNeeds } from './replica.ts';

/**
 * Puts the secrets that a deployment names where its replica alone looks: read-only files of its own, which go with
 * it. `SECRETS_PATH` tells where. Rejects while one has not reached this node.
 */
export const placeSecrets = async (
  needs: Pick<LaunchNeeds, 'secrets'>,
  spec: FunctionSpec,
  slot: Pick<Slot, 'secrets'>,
): Promise<void> => {
  const names = spec.deployment.secrets ?? [];
  if (names.length === 0) return;
  const values = needs.secrets(spec.ref.namespace, names);
  await mkdir(slot.secrets, { recursive: true, mode: 0o700 });
  for (const [name, value] of values) await writeFile(join(slot.secrets, name), value, { mode: 0o400 });
};
