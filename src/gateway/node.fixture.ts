import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch as undiciFetch } from 'undici';
import type { RequestInit as UndiciInit } from 'undici';
import { asyncInvoker } from '../async/async-invoker.ts';
import { FileBundleStore } from '../bundles/file-store.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { keys } from '../catalogue/record.ts';
import { MemoryCatalogueStore } from '../catalogue/store.ts';
import { asFunction } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { nodeId, parseDigest, splitFunctionKey } from '../domain/ids.ts';
import type { Digest } from '../domain/ids.ts';
import { openMemoryQueue } from '../queues/memory/memory-queue.ts';
import type { Queue } from '../queues/queue.ts';
import { createSecrets } from '../secrets/secrets.ts';
import { createVault } from '../secrets/vault.ts';
import { systemClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { silentLog } from '../telemetry/log.ts';
import { createAdmin } from './auth.ts';
import { createFunctionsService } from './functions.ts';
import { createGateway } from './gateway.ts';
import { createImages } from './images.ts';
import { listen } from './listen.ts';
import { createNamespacesService } from './namespaces.ts';
import { createOverridesService } from './overrides.ts';
import type { FederationStatus, FunctionHost, GatewayNeeds, LogLine, NodeFunction, PeerHost } from './needs.ts';
import type { PeerRequest } from './peer-request.ts';

/** A control API on real sockets, with a real catalogue and bundle store, for tests. */
export type TestNode = {
  readonly name: string;
  readonly systemSocket: string;
  readonly peerSocket: string;
  readonly catalogue: Catalogue;
  /** What lives here; tests change it. */
  readonly running: NodeFunction[];
  /** What functions wrote here, by name; tests change it. */
  readonly written: Map<string, LogLine[]>;
  readonly peers: PeerHost[];
  /** Where its asynchronous calls wait; nobody makes them. */
  readonly queue: Queue;
  setDraining(draining: boolean): void;
  stop(): Promise<void>;
};

const password = 'swordfish';
export const basic = (user: string, pass: string): string =>
  `Basic ${Buffer.from(`${user}:${pass}`).toString('base64')}`;
export const credentials = { authorization: basic('admin', password) };

export const startTestNode = async (name = 'node-1', change: Partial<GatewayNeeds> = {}): Promise<TestNode> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-gw-'));
  const catalogue = aloneCatalogue(name);
  await catalogue.start();
  const bundles = await FileBundleStore.open(join(folder, 'bundles'));
  const images = createImages(catalogue, bundles);
  const running: NodeFunction[] = [];
  const written = new Map<string, LogLine[]>();
  const peers: PeerHost[] = [];
  const here = hostOf(name, running, written);
  let draining = false;
  const secrets = createSecrets({ catalogue, vault: createVault('ab'.repeat(32)), clock: systemClock });
  const queue = await openMemoryQueue({ clock: systemClock, log: silentLog });
  const calls = asyncInvoker({
    queue,
    labels: (key) => {
      const { name, namespace } = splitFunctionKey(key);
      const record = catalogue.get(keys.function(namespace, name));
      return record && (asFunction(record).deployment.labels ?? {});
    },
    invoke: async () => ({ status: 200, headers: [], body: Buffer.alloc(0) }),
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
  });
  const functions = createFunctionsService({
    catalogue,
    images,
    secrets,
    here,
    peers: () => peers,
    inForce: async () => {},
    clock: systemClock,
  });
  const gateway = createGateway({
    functions,
    overrides: createOverridesService(catalogue),
    namespaces: createNamespacesService(catalogue),
    secrets,
    here,
    calls,
    peers: () => peers,
    bundles,
    images,
    federation: () => federationOf(name),
    info: () => ({ release: '0.1.0', sha: 'abc', provider: 'process', arch: 'x86_64' }),
    draining: () => draining,
    admin: createAdmin('admin', password),
    clock: systemClock,
    log: silentLog,
    ...change,
  });
  const systemSocket = join(folder, 'system.sock');
  const peerSocket = join(folder, 'peer.sock');
  const listeners = [await listen(gateway, 'public', systemSocket), await listen(gateway, 'peer', peerSocket)];
  return {
    name,
    systemSocket,
    peerSocket,
    catalogue,
    running,
    written,
    peers,
    queue,
    setDraining: (value) => {
      draining = value;
    },
    stop: async () => {
      await Promise.all(listeners.map((listener) => listener.close(0)));
      await catalogue.stop();
      await queue.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

/** A real catalogue that has nobody to talk to; not started. */
export const aloneCatalogue = (name: string): Catalogue =>
  new Catalogue({
    store: new MemoryCatalogueStore(),
    membership: {
      members: () => [],
      onChange: () => () => {},
      onMessage: () => () => {},
      broadcast: async () => {},
      send: async () => {},
    },
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
    self: nodeId(name),
  });

const hostOf = (
  name: string,
  running: NodeFunction[],
  written: ReadonlyMap<string, readonly LogLine[]>,
): FunctionHost => ({
  id: name,
  name,
  list: async () => running,
  scale: async (ref, { replicas }) => {
    const index = running.findIndex((one) => one.placed && one.name === ref.name && one.namespace === ref.namespace);
    const one = running[index];
    if (one === undefined) throw new SkeinError('not-found', `${ref.name} does not live here`);
    running[index] = { ...one, replicas, availableReplicas: replicas };
  },
  logs: async function* ({ name, tail, since, replica, follow }, signal) {
    const lines = (written.get(name) ?? [])
      .filter(({ timestamp }) => Date.parse(timestamp) >= since)
      .filter(({ instance }) => replica === undefined || instance === replica);
    yield* tail > 0 ? lines.slice(-tail) : lines;
    while (follow && !signal.aborted) {
      await once(signal, 'abort');
    }
  },
});

const federationOf = (name: string): FederationStatus => ({
  self: { id: `id-${name}`, name },
  strategy: 'least-loaded',
  plan: { version: 7 },
  catalogue: { records: 3, tombstones: 1, counter: 9 },
  traffic: { entered: 5, served: 4, forwardedOut: 1, forwardedIn: 0, rejected: 0 },
  members: [
    {
      id: `id-${name}`,
      name,
      state: 'alive',
      slots: 4,
      inFlight: 1,
      address: 'http://127.0.0.1:8080',
      version: '0.1.0',
      ageMs: 0,
      functions: ['figlet.openfaas-fn'],
    },
  ],
});

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The bytes as text. */
  readonly body: string;
};

export type Sent = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

/** One request over a unix socket, its path as given: no client tidies it up. */
export const call = (socketPath: string, method: string, path: string, sent: Sent = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    // Node's client frames no body of a DELETE unless it is told the length.
    const isChunked = sent.headers?.['transfer-encoding'] !== undefined;
    const length = sent.body === undefined || isChunked ? {} : { 'content-length': Buffer.byteLength(sent.body) };
    const headers = { host: 'node', ...length, ...sent.headers };
    const outgoing = request({ socketPath, method, path, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes, body: bytes.toString('utf8') });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(sent.body);
  });

/** As the administrator. */
export const asAdmin = (node: TestNode, method: string, path: string, body?: unknown): Promise<Answer> =>
  call(node.systemSocket, method, path, {
    headers: credentials,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Stands for the channel between data planes. */
export const requestOver = (socketPath: string): PeerRequest => {
  const dispatcher = new Agent({ connect: { socketPath } });
  return async (path, init) => {
    const answer: unknown = await undiciFetch(`http://peer${path}`, { ...init, dispatcher } as UndiciInit);
    return answer as Response;
  };
};

export const digestOf = (bytes: Uint8Array): Digest => {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  if (digest === undefined) throw new SkeinError('internal', 'sha256 gave no digest');
  return digest;
};
