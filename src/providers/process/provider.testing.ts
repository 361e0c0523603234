import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { manifest } from '../../bundles/manifest.ts';
import type { OpenBundle } from '../../bundles/bundle-store.ts';
import { SkeinError } from '../../domain/errors.ts';
import type { FunctionRef } from '../../domain/function.ts';
import type { Digest } from '../../domain/ids.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { FunctionSpec } from '../provider.ts';
import { ProcessProvider, type ProcessProviderNeeds } from './process-provider.ts';
import { prepareSecretMounts, type NoMounts, type SecretMounts } from './secret-mounts.ts';

/** A bundle's files by path. */
export type Files = Readonly<Record<string, string>>;

/** For tests: a provider on folders of its own, and bundles made of strings. */
export type Bench = {
  readonly folder: string;
  readonly provider: ProcessProvider;
  /** Another provider on the same folders, not started. */
  another(needs?: Partial<ProcessProviderNeeds>): ProcessProvider;
  spec(ref: FunctionRef, revision: string, files: Files, env?: Readonly<Record<string, string>>): Promise<FunctionSpec>;
  /** Stops `provider` and removes the folders. */
  close(): Promise<void>;
};

let prepared: Promise<SecretMounts | NoMounts> | undefined;

/** As a node has it, found out once. */
const secretMounts = (): Promise<SecretMounts | NoMounts> => (prepared ??= prepareSecretMounts(systemClock));

export const makeProvider = async (needs: Partial<ProcessProviderNeeds> = {}): Promise<Bench> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-p-'));
  const bundles = new FolderBundles(join(folder, 'bundles'));
  const another = (more: Partial<ProcessProviderNeeds> = {}): ProcessProvider =>
    new ProcessProvider({
      bundles,
      clock: systemClock,
      log: silentLog,
      folder: join(folder, 'state'),
      runFolder: join(folder, 'run'),
      gatewayUrl: 'http://127.0.0.1:8080',
      secretMounts,
      poolSize: 0,
      maxReplicas: { perFunction: 8, total: 8 },
      timeoutMs: () => 10_000,
      readyTimeoutMs: 40_000,
      drainDelayMs: 400,
      ...needs,
      ...more,
    });
  const provider = another();
  await provider.start();
  return {
    folder,
    provider,
    another,
    spec: async (ref, revision, files, envVars = {}) => ({
      ref,
      revision,
      digest: await bundles.put(files),
      deployment: { service: ref.name, image: `${ref.name}:1`, envVars: { ...envVars } },
    }),
    close: async () => {
      await provider.stop(1000);
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** Bundles as plain folders: no archives. */
class FolderBundles {
  readonly #folder: string;
  readonly #bundles = new Map<Digest, OpenBundle>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(files: Files): Promise<Digest> {
    const hex = createHash('sha256').update(JSON.stringify(files)).digest('hex');
    const folder = join(this.#folder, hex);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    const digest = `sha256:${hex}` as Digest;
    this.#bundles.set(digest, { folder, manifest: manifest.parse(JSON.parse(files['skein.json'] ?? '{}')) });
    return digest;
  }

  async open(digest: Digest): Promise<OpenBundle> {
    const bundle = this.#bundles.get(digest);
    if (bundle === undefined) throw new SkeinError('not-found', `there is no bundle ${digest}`);
    return bundle;
  }
}

/** Calls a replica on a connection of its own. */
export const call = async (
  replica: Pick<ReplicaPlan, 'address'> | undefined,
  options: RequestOptions = {},
): Promise<{ readonly status: number; readonly text: string }> => {
  const address = replica?.address;
  if (address === undefined) throw new Error('there is no replica to call');
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const sent = request({ ...where, agent: false, ...options }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text })).on('error', reject);
  });
  sent.on('error', reject).end();
  return promise;
};

/** All that an iterator gives until it ends. */
export const collect = async <Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> => {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
};

/** For what the world outside gives no event: asks until it holds, for at most 40 s. */
export const eventually = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const end = Date.now() + 40_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not come about within 40 s');
    await setTimeout(20);
  }
};

/** A bundle of node mode. */
export const nodeBundle = (code: string, more: Readonly<Record<string, unknown>> = {}): Files => ({
  'skein.json': JSON.stringify({ manifest: 1, mode: 'node', entry: 'index.mjs', ...more }),
  'index.mjs': code,
});

/** A bundle of http mode: a program for Node. */
export const httpBundle = (code: string, more: Readonly<Record<string, unknown>> = {}): Files => ({
  'skein.json': JSON.stringify({ manifest: 1, mode: 'http', command: ['node', 'main.mjs'], ...more }),
  'main.mjs': code,
});

/** A bundle of classic mode. */
export const classicBundle = (
  fprocess: string,
  files: Files = {},
  env: Readonly<Record<string, string>> = {},
): Files => ({
  'skein.json': JSON.stringify({ manifest: 1, mode: 'classic', fprocess, env }),
  ...files,
});
