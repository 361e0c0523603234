import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Built } from '../builder/build.ts';
import { readStackFile } from '../builder/stack-file.ts';
import type { FunctionDeployment } from '../domain/function.ts';
import type { Client } from './client.ts';
import { pushBundle } from './push-bundle.ts';
import { terminalLog } from './terminal-log.ts';

/** A sample function, built and waiting to be deployed. */
export type Sample = { readonly deployment: FunctionDeployment; readonly built: Built; readonly file: string };

/** The functions that come with Skein (`functions/stack.yml`), built; `dispose` removes what was built. */
export const buildSamples = async (): Promise<{
  readonly samples: readonly Sample[];
  dispose(): Promise<void>;
}> => {
  const stack = fileURLToPath(new URL('../../functions/stack.yml', import.meta.url));
  const work = await mkdtemp(join(tmpdir(), 'skein-samples-'));
  const samples: Sample[] = [];
  const { functions } = existsSync(stack) ? await readStackFile(stack, {}) : { functions: [] };
  for (const { folder, deployment } of functions) {
    if (folder === undefined) continue;
    const file = join(work, `${deployment.service}.tar.gz`);
    samples.push({
      deployment,
      file,
      built: await build({ folder, image: deployment.image, out: file, log: terminalLog }),
    });
  }
  return { samples, dispose: () => rm(work, { recursive: true, force: true }) };
};

/** Deploys what is not there yet as it is. */
export const deploySamples = async (samples: readonly Sample[], client: Client): Promise<readonly string[]> => {
  for (const { deployment, built, file } of samples) {
    await pushBundle(built, file, client);
    await client.deploy({ ...deployment, image: built.image });
  }
  return samples.map(({ deployment }) => deployment.service);
};
