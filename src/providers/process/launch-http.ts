import { createServer, type AddressInfo } from 'node:net';
import type { Manifest } from '../../bundles/manifest.ts';
import type { Address } from '../../routing/plan.ts';
import type { FunctionSpec } from '../provider.ts';
import { functionEnvironment } from './environment.ts';
import { findCommand } from './find-command.ts';
import type { Slot } from './folders.ts';
import { markTimes } from './log-times.ts';
import type { LaunchNeeds, Launched } from './replica.ts';
import { placeBundle } from './place-bundle.ts';
import { deliverSecrets } from './place-secrets.ts';
import { inside, untilReady } from './ready.ts';
import { logFile } from './replica-logs.ts';
import type { Room } from './room.ts';
import { RunningProcess } from './running-process.ts';
import { startProgram } from './start-program.ts';
import { splitProcess } from './watchdog/settings.ts';

type HttpManifest = Extract<Manifest, { mode: 'http' }>;
type Environment = Readonly<Record<string, string>>;

/** Any program that listens where it is told, in a copy of its bundle and a process group of its own. */
export const launchHttp = async (
  needs: LaunchNeeds,
  spec: FunctionSpec,
  bundleFolder: string,
  manifest: HttpManifest,
): Promise<Launched> => {
  const slot = await needs.folders.makeSlot();
  let room: Room | undefined;
  try {
    await placeBundle(bundleFolder, slot.bundle, 'copy');
    const secrets = await deliverSecrets(needs, spec, slot);
    ({ room } = secrets);
    const address = await chooseAddress(manifest, slot);
    const env = {
      ...functionEnvironment(spec, manifest, slot, needs.gatewayUrl, secrets.path),
      ...listenEnvironment(address),
    };
    const [name, ...args] = httpCommand(manifest, env);
    const path = logFile(needs.folders.logs(spec.ref), slot.id);
    const child = await startProgram({
      command: await findCommand(name, slot.bundle, env['PATH'] ?? ''),
      args,
      folder: slot.bundle,
      env,
      logFile: path,
      room,
    });
    const process = RunningProcess.ofChild(child);
    await markTimes(path, 0, needs.clock.now());
    const readyPath = readyPathOf(manifest, env);
    return {
      id: slot.id,
      address,
      process,
      ...(readyPath === undefined ? {} : { readyPath }),
      ready: inside(room, process, () => untilReady(needs, address, readyPath, process)),
    };
  } catch (error) {
    room?.close();
    await needs.folders.clear(slot.id);
    throw error;
  }
};

/** The manifest's command, unless the deployment names another as `fprocess`. */
export const httpCommand = (manifest: HttpManifest, env: Environment): readonly [string, ...string[]] => {
  const process = env['fprocess'] || env['function_process'];
  if (process) return splitProcess(process);
  const [name = '', ...args] = manifest.command;
  return [name, ...args];
};

const readyPathOf = (manifest: HttpManifest, env: Environment): string | undefined => {
  const path = env['ready_path'] || manifest.ready;
  return path === undefined || path.startsWith('/') ? path : `/${path}`;
};

const chooseAddress = async (manifest: HttpManifest, slot: Slot): Promise<Address> => {
  if (manifest.listen === 'unix') return { kind: 'unix', path: slot.socket };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = probe.address() as AddressInfo;
    probe.close(() => resolve(port));
  });
  return { kind: 'tcp', host: '127.0.0.1', port: await promise };
};

const listenEnvironment = (address: Address): Environment =>
  address.kind === 'unix'
    ? { SKEIN_SOCKET: address.path, PORT: address.path }
    : { PORT: String(address.port), port: String(address.port), HOST: address.host };
