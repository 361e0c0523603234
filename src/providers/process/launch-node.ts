import { join } from 'node:path';
import type { Manifest } from '../../bundles/manifest.ts';
import type { FunctionSpec } from '../provider.ts';
import { functionEnvironment } from './environment.ts';
import type { LaunchNeeds, Launched } from './replica.ts';
import { placeBundle } from './place-bundle.ts';
import { placeSecrets, secretsOf } from './place-secrets.ts';
import { adoptLog, logFile } from './replica-logs.ts';
import { specialise } from './worker-pool.ts';

type NodeManifest = Extract<Manifest, { mode: 'node' }>;

/** A worker of the pool becomes the function; one that may have threads is forked for it, since flags are given at start. */
export const launchNode = async (
  needs: LaunchNeeds,
  spec: FunctionSpec,
  bundleFolder: string,
  manifest: NodeManifest,
): Promise<Launched> => {
  const worker = manifest.threads ? await needs.pool.fork(['--allow-worker']) : await needs.pool.take();
  const { slot } = worker;
  return {
    id: slot.id,
    address: { kind: 'unix', path: slot.socket },
    process: worker.process,
    ready: async () => {
      await Promise.all([
        placeBundle(bundleFolder, slot.bundle, 'link'),
        placeSecrets(secretsOf(needs, spec), worker.secretsFolder),
        adoptLog(slot.log, logFile(needs.folders.logs(spec.ref), slot.id)),
      ]);
      await specialise(
        needs.clock,
        worker,
        {
          entry: join(slot.bundle, manifest.entry),
          handler: manifest.handler,
          env: functionEnvironment(spec, manifest, slot, needs.gatewayUrl, worker.secretsPath),
        },
        needs.readyTimeoutMs,
      );
    },
  };
};
