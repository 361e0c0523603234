import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { BundleStore, OpenBundle } from '../../bundles/bundle-store.ts';
import type { FunctionSpec } from '../provider.ts';
import { checkEnvironment, functionEnvironment, maxInFlightOf } from './environment.ts';
import { findCommand } from './find-command.ts';
import type { Slot } from './folders.ts';
import { httpCommand } from './launch-http.ts';
import { readSettings, splitProcess } from './watchdog/settings.ts';

/** `invalid` when the bundle is not here or is damaged. */
export const openBundle = async (bundles: Pick<BundleStore, 'open'>, spec: FunctionSpec): Promise<OpenBundle> => {
  try {
    return await bundles.open(spec.digest);
  } catch (error) {
    throw new SkeinError(
      'invalid',
      `the bundle of image "${spec.deployment.image}" cannot be opened: ${messageOf(error)}`,
      { cause: error },
    );
  }
};

/** What can be told before a process is started. `invalid` when the function cannot run here whatever is tried. */
export const checkRunnable = async (
  spec: FunctionSpec,
  { folder, manifest }: OpenBundle,
  slot: Slot,
  gatewayUrl: string,
): Promise<void> => {
  maxInFlightOf(spec);
  const env = functionEnvironment(spec, manifest, slot, gatewayUrl, slot.secrets);
  checkEnvironment(env);
  if (manifest.mode === 'http') {
    await findCommand(httpCommand(manifest, env)[0], folder, env['PATH'] ?? '');
    return;
  }
  if (manifest.mode === 'classic') {
    const [program] = splitProcess(readSettings(env).process);
    if (program === '') {
      throw new SkeinError(
        'invalid',
        `${spec.ref.name} has no fprocess: say which program to run, in the deployment or in the bundle's skein.json`,
      );
    }
    await findCommand(program, folder, env['PATH'] ?? '');
    return;
  }
  await access(join(folder, manifest.entry)).catch(() => {
    throw new SkeinError(
      'invalid',
      `the bundle of image "${spec.deployment.image}" has no file ${manifest.entry}, which its manifest calls its entry`,
    );
  });
};
