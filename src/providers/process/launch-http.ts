import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { SkeinError } from '../../domain/errors.ts';
import type { Manifest } from '../../bundles/manifest.ts';
import type { Address } from '../../routing/plan.ts';
import type { FunctionSpec } from '../provider.ts';
import { functionEnvironment } from './environment.ts';
import type { Slot } from './folders.ts';
import type { LaunchNeeds, Launched } from './replica.ts';
import { placeBundle } from './place-bundle.ts';
import { logFile } from './replica-logs.ts';
import { RunningProcess } from './running-process.ts';
import { accepts, until } from './wait.ts';

type HttpManifest = Extract<Manifest, { mode: 'http' }>;

const readyEveryMs = 20;

/** Any program that listens where it is told, in a copy of its bundle and a process group of its own. */
export const launchHttp = async (
  needs: LaunchNeeds,
  spec: FunctionSpec,
  bundleFolder: string,
  manifest: HttpManifest,
): Promise<Launched> => {
  const slot = await needs.folders.makeSlot();
  try {
    await placeBundle(bundleFolder, slot.bundle, 'copy');
    const address = await chooseAddress(manifest, slot);
    const env = { ...functionEnvironment(spec, manifest, slot, needs.gatewayUrl), ...listenEnvironment(address) };
    const command = await findCommand(manifest.command[0] as string, slot.bundle, env.PATH ?? '');
    const child = await start(
      command,
      manifest.command.slice(1),
      slot,
      env,
      logFile(needs.folders.logs(spec.ref), slot.id),
    );
    const process = RunningProcess.ofChild(child);
    return { id: slot.id, address, process, ready: () => ready(needs, manifest, address, process) };
  } catch (error) {
    await needs.folders.clear(slot.id);
    throw error;
  }
};

/** The program of an http bundle: `node` is the runtime's own, then the bundle's file, then PATH. `invalid` when there is none. */
export const findCommand = async (name: string, bundleFolder: string, path: string): Promise<string> => {
  if (name === 'node') return process.execPath;
  const folders = name.startsWith('/') ? [''] : [bundleFolder, ...(name.includes('/') ? [] : path.split(delimiter))];
  for (const folder of folders) {
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  throw new SkeinError('invalid', `the program "${name}" is neither an executable file of the bundle nor on PATH`);
};

const isExecutable = async (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

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

const listenEnvironment = (address: Address): Readonly<Record<string, string>> =>
  address.kind === 'unix'
    ? { SKEIN_SOCKET: address.path, PORT: address.path }
    : { PORT: String(address.port), port: String(address.port), HOST: address.host };

const start = async (
  command: string,
  args: readonly string[],
  slot: Slot,
  env: Readonly<Record<string, string>>,
  logPath: string,
): Promise<ChildProcess & { readonly pid: number }> => {
  await mkdir(dirname(logPath), { recursive: true, mode: 0o700 });
  const log = await open(logPath, 'a', 0o600);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(command, args, { cwd: slot.bundle, env, stdio: ['ignore', log.fd, log.fd], detached: true });
  child.once('spawn', resolve).once('error', reject);
  try {
    await promise;
  } catch (error) {
    throw new SkeinError('unavailable', `"${command}" could not be started: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await log.close();
  }
  child.unref();
  return child as ChildProcess & { readonly pid: number };
};

const ready = async (
  needs: LaunchNeeds,
  manifest: HttpManifest,
  address: Address,
  process: RunningProcess,
): Promise<void> => {
  const { ready: path } = manifest;
  const answers = (): Promise<boolean> => (path === undefined ? accepts(address) : answersWell(address, path));
  const listens = await until(
    needs.clock,
    needs.readyTimeoutMs,
    readyEveryMs,
    async () => process.gone || (await answers()),
  );
  if (process.gone) throw new SkeinError('unavailable', `the program ${await process.exited} before it was ready`);
  if (listens) return;
  const where = address.kind === 'unix' ? 'on the socket in SKEIN_SOCKET' : 'on the port in PORT';
  const what = path === undefined ? 'accepted no connection' : `did not answer GET ${path} with 200..299`;
  throw new SkeinError('unavailable', `the program ${what} ${where} within ${needs.readyTimeoutMs} ms`);
};

const answersWell = async (address: Address, path: string): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const asked = request({ ...where, path, agent: false, timeout: 1000 }, (answer) => {
    const status = answer.statusCode ?? 0;
    answer.destroy();
    resolve(status >= 200 && status < 300);
  });
  asked.on('error', () => resolve(false)).on('timeout', () => asked.destroy());
  asked.end();
  return promise;
};
