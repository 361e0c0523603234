import type { Address } from '../../routing/plan.ts';
import type { Manifest } from '../../bundles/manifest.ts';
import type { FunctionSpec } from '../provider.ts';
import { bareEnvironment, functionEnvironment } from './environment.ts';
import { findCommand } from './find-command.ts';
import type { LaunchNeeds, Launched } from './replica.ts';
import { placeBundle } from './place-bundle.ts';
import { deliverSecrets } from './place-secrets.ts';
import { inside, untilReady } from './ready.ts';
import { logFile } from './replica-logs.ts';
import type { Room } from './room.ts';
import { RunningProcess } from './running-process.ts';
import { startProgram } from './start-program.ts';
import type { ToWatchdog } from './watchdog/messages.ts';
import { readSettings, splitProcess } from './watchdog/settings.ts';

type ClassicManifest = Extract<Manifest, { mode: 'classic' }>;

const healthPath = '/_/health';

/** A watchdog of our own, which forks a process for each request in a copy of the bundle. */
export const launchClassic = async (
  needs: LaunchNeeds,
  spec: FunctionSpec,
  bundleFolder: string,
  manifest: ClassicManifest,
): Promise<Launched> => {
  const slot = await needs.folders.makeSlot();
  let room: Room | undefined;
  try {
    await placeBundle(bundleFolder, slot.bundle, 'copy');
    const secrets = await deliverSecrets(needs, spec, slot);
    ({ room } = secrets);
    const env = functionEnvironment(spec, manifest, slot, needs.gatewayUrl, secrets.path);
    const [name] = splitProcess(readSettings(env).process);
    const told: ToWatchdog = {
      socket: slot.socket,
      program: await findCommand(name, slot.bundle, env['PATH'] ?? ''),
      folder: slot.bundle,
      env,
      scratch: slot.scratch,
      children: slot.children,
    };
    const { watchdog } = await needs.runtime();
    const child = await startProgram({
      command: process.execPath,
      args: [watchdog],
      folder: slot.folder,
      // What is deployed reaches the forked process, never the watchdog: NODE_OPTIONS, say.
      env: bareEnvironment(slot),
      logFile: logFile(needs.folders.logs(spec.ref), slot.id),
      input: JSON.stringify(told),
      room,
    });
    const address: Address = { kind: 'unix', path: slot.socket };
    const running = RunningProcess.ofChild(child);
    return {
      id: slot.id,
      address,
      process: running,
      readyPath: healthPath,
      ready: inside(room, running, () => untilReady(needs, address, healthPath, running)),
    };
  } catch (error) {
    room?.close();
    await needs.folders.clear(slot.id);
    throw error;
  }
};
