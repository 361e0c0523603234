import { readFile } from 'node:fs/promises';
import { arch, availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../agent/agent.ts';
import { federationStatusOf } from '../agent/federation-status.ts';
import { KeptScale } from '../agent/kept-scale.ts';
import { PeerFetch } from '../agent/peer-fetch.ts';
import { FileBundleStore } from '../bundles/file-store.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { catalogueMigrations, SqliteCatalogueStore } from '../catalogue/sqlite-store.ts';
import { queueMigrations } from '../queues/embedded/sqlite-queue.ts';
import { formatListen } from '../config/listen.ts';
import type { Config } from '../config/schema.ts';
import { SkeinError } from '../domain/errors.ts';
import { createFunctionsService } from '../gateway/functions.ts';
import { createGateway } from '../gateway/gateway.ts';
import { createImages } from '../gateway/images.ts';
import { listen } from '../gateway/listen.ts';
import { createNamespacesService } from '../gateway/namespaces.ts';
import { createOverridesService } from '../gateway/overrides.ts';
import { Libp2pMembership } from '../membership/libp2p/libp2p-membership.ts';
import { ProcessProvider } from '../providers/process/process-provider.ts';
import { createSecrets } from '../secrets/secrets.ts';
import { createVault } from '../secrets/vault.ts';
import { systemClock as clock } from '../std/clock.ts';
import { readPidFile, removePidFile, writePidFile } from '../std/pid-file.ts';
import { openDatabase } from '../std/sqlite.ts';
import { strategyNamed } from '../strategies/registry.ts';
import { agentInstruments } from '../telemetry/agent-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import { apiInstruments } from '../telemetry/api-instruments.ts';
import { serveMetrics } from '../telemetry/metrics.ts';
import { createNodeUsage } from '../telemetry/node.ts';
import { createPowerMeter } from '../telemetry/power.ts';
import { settingsOf } from '../agent/labels.ts';
import { makeDataFolder } from './data-folder.ts';
import { embeddedDataPlane } from './embedded-data-plane.ts';
import { haproxyDataPlane } from './haproxy-data-plane.ts';
import { loadNodeKeys } from './node-keys.ts';
import { openTracing, tellingOf } from './node-tracing.ts';
import { openCalls } from './open-calls.ts';
import { makeRunFolder, removeEmptyRunFolder, removeRunFolder } from './run-folder.ts';
import type { Ending, Undo } from './undo.ts';

export type RunningNode = {
  readonly name: string;
  readonly gatewayUrl: string;
  /** Finishes what runs, at most `drainMs`, and ends the data plane and every replica. */
  stop(drainMs: number): Promise<void>;
};

/** For the spans that wait when the node stops. */
const lastSpansMs = 2_000;
const usageEveryMs = 5_000;
/** Peers hear that this node leaves before it stops listening. */
const farewellMs = 150;

/** The one place where a node is put together from its parts. */
export const runNode = async (config: Config, log: Log): Promise<RunningNode> => {
  const folder = join(config.data, config.node.name);
  makeDataFolder(folder);
  const pidFile = join(folder, 'agent.pid');
  const other = readPidFile(pidFile);
  if (other !== undefined) {
    throw new SkeinError(
      'unavailable',
      `${config.node.name} runs already in ${folder} (pid ${other.pid}): \`skein down\` stops it`,
    );
  }
  const stack: Undo[] = [];
  const unwind = async (ending: Ending): Promise<void> => {
    for (const undo of stack.splice(0).reverse()) await undo(ending);
  };
  try {
    return await assemble(config, folder, pidFile, log, stack, unwind);
  } catch (error) {
    await unwind({ kind: 'failed' });
    throw error;
  }
};

const assemble = async (
  config: Config,
  folder: string,
  pidFile: string,
  log: Log,
  stack: Undo[],
  unwind: (ending: Ending) => Promise<void>,
): Promise<RunningNode> => {
  const { node, capacity, provider: providing, timeouts, strategy: sharing } = config;
  const cores = availableParallelism();
  const measured = capacity.slots === 'auto' ? { min: capacity.min, max: capacity.max } : undefined;
  const slots = capacity.slots === 'auto' ? 4 * cores : capacity.slots;
  const version = await programVersion();
  writePidFile(pidFile, process.pid);
  stack.push(() => removePidFile(pidFile));
  const runFolder = await makeRunFolder(folder);
  stack.push((ending) => (ending.kind === 'stopped' ? removeRunFolder(folder) : removeEmptyRunFolder(folder)));

  const { identityFile, identity, federationKey, admin, credentials } = await loadNodeKeys(config, folder, clock.now());
  // Before the data plane starts: settings that cannot be used are told here.
  const tracing = await openTracing(config, log);
  stack.push((ending) => tracing?.close(ending.kind === 'stopped' ? lastSpansMs : 0));

  const telling = tellingOf(config, folder);
  const dataPlane =
    config.dataPlane.kind === 'haproxy'
      ? haproxyDataPlane({ version, config, telling, folder, runFolder, credentials, clock, log })
      : embeddedDataPlane({ version, config, telling, folder, runFolder, identityFile, clock, log });
  // Before it starts: a start that fails leaves timers, which would keep this process from ending.
  stack.push((ending) => {
    if (ending.kind === 'stopped') return dataPlane.stop(ending.drainMs);
    return dataPlane.adopted ? dataPlane.release() : dataPlane.stop(0);
  });
  await dataPlane.start();
  const { gateway, peer } = dataPlane.address();
  const gatewayUrl = `http://${formatListen({ host: reachable(gateway.host), port: gateway.port })}`;

  const database = await openDatabase(join(folder, 'state.db'), [...catalogueMigrations, ...queueMigrations]);
  stack.push(() => database.close());
  const membership = new Libp2pMembership({
    clock,
    random: Math.random,
    log,
    identity,
    federationKey,
    listen: config.federation.listen,
    bootstrap: config.federation.bootstrap,
  });
  const catalogue = new Catalogue({
    store: new SqliteCatalogueStore(database),
    membership,
    clock,
    random: Math.random,
    log,
    self: identity.id,
  });
  const secrets = createSecrets({ catalogue, vault: createVault(federationKey), clock });

  const instruments = agentInstruments();
  // The agent comes later, and replicas leave earlier only while there is none.
  let withdrawn = (): Promise<void> => Promise.resolve();
  const bundles = await FileBundleStore.open(join(folder, 'bundles'));
  const maxReplicas = providing.maxReplicas > 0 ? providing.maxReplicas : slots;
  const provider = new ProcessProvider({
    bundles,
    clock,
    log,
    folder: join(folder, 'functions'),
    runFolder,
    gatewayUrl,
    secrets: (namespace, names) => secrets.read(namespace, names),
    poolSize: providing.poolSize,
    withdrawn: () => withdrawn(),
    maxReplicas: { perFunction: maxReplicas, total: Math.max(64, 4 * slots) },
    timeoutMs: ({ deployment }) => settingsOf(deployment).timeoutMs ?? timeouts.functionMs,
    onColdStart: (ms) => instruments.coldStart(ms / 1000),
  });
  await provider.start();
  stack.push((ending) => (ending.kind === 'stopped' ? provider.stop(ending.drainMs) : provider.release()));

  await catalogue.start();
  stack.push(() => catalogue.stop());
  await membership.start();
  stack.push(() => membership.stop());

  const peerFetch = new PeerFetch(credentials);
  stack.push(() => peerFetch.stop());
  const advertised = config.peer.advertise ?? { host: peer.host, port: peer.port };
  const facts = { name: node.name, roles: node.roles, labels: node.labels };
  const agent = new Agent({
    self: identity.id,
    node: node.location === undefined ? facts : { ...facts, location: node.location },
    slots,
    measuredSlots: measured,
    cores,
    catalogue,
    membership,
    provider,
    dataPlane,
    strategy: strategyNamed(sharing.name),
    strategyPeriodMs: sharing.periodMs,
    bundles,
    secretVersions: (namespace, names) => secrets.versions(namespace, names),
    peerFetch,
    instruments,
    clock,
    random: Math.random,
    log,
    maxReplicas,
    idleMs: providing.idleMs,
    keptScale: await KeptScale.open(join(folder, 'functions', 'scale.json')),
    queued: async () =>
      new Map((await calls.stats()).map((one) => [one.function, one.calls.waiting + one.calls.running])),
    queueMs: config.queue.ms,
    timeoutMs: timeouts.functionMs,
    announcement: {
      name: node.name,
      version,
      ...(node.location !== undefined && { location: node.location }),
      labels: node.labels,
      roles: node.roles,
      peer: { host: advertised.host, port: advertised.port === 0 ? peer.port : advertised.port },
      gateway: gatewayUrl,
      addresses: [...membership.addresses()],
    },
  });
  const images = createImages(catalogue, bundles);
  withdrawn = () => agent.inForce();
  const here = agent.here();
  const peers = () => agent.peerHosts();
  const { calls, metrics: queued } = await openCalls({
    config,
    database,
    catalogue,
    gatewayUrl,
    tracing,
    clock,
    log,
    undo: (step) => stack.push(step),
  });
  const answers = apiInstruments();
  const api = createGateway({
    onAnswer: (answer) => answers.answered(answer),
    functions: createFunctionsService({
      catalogue,
      images,
      secrets,
      here,
      peers,
      inForce: () => agent.inForce(),
      clock,
    }),
    overrides: createOverridesService(catalogue),
    namespaces: createNamespacesService(catalogue),
    secrets,
    here,
    calls,
    peers,
    bundles,
    images,
    federation: () =>
      federationStatusOf({
        agent,
        self: { id: identity.id, name: node.name },
        slots: agent.slots,
        address: gatewayUrl,
        version,
        location: node.location,
        strategy: sharing.name,
        catalogue: catalogue.status(),
        now: clock.now(),
      }),
    info: () => ({ release: version, sha: '', provider: provider.kind, arch: arch() }),
    draining: () => agent.draining,
    admin,
    clock,
    log,
  });
  for (const [audience, name] of [
    ['public', 'system.sock'],
    ['peer', 'peers.sock'],
  ] as const) {
    const listener = await listen(api, audience, join(runFolder, name));
    stack.push(() => listener.close(1_000));
  }
  await agent.start();
  stack.push(() => agent.stop());

  const metrics = await serveMetrics({
    listen: config.metrics.listen,
    sources: [
      { name: 'agent', metrics: () => instruments.metrics() },
      { name: 'data plane', metrics: () => dataPlane.metrics() },
      { name: 'control API', metrics: () => answers.metrics() },
      { name: 'asynchronous calls', metrics: () => queued.metrics() },
      ...(tracing === undefined ? [] : [{ name: 'traces', metrics: () => tracing.metrics() }]),
    ],
    clock,
    log,
  });
  stack.push(() => metrics.close());
  const [usage, power] = [createNodeUsage(clock), createPowerMeter(clock)];
  const sample = async (): Promise<void> => {
    instruments.usage(await usage());
    instruments.power(await power());
  };
  stack.push(clock.every(usageEveryMs, () => void sample()));
  await sample();

  log.info({ gateway: gatewayUrl, strategy: sharing.name, slots: capacity.slots }, 'node ready');
  return {
    name: node.name,
    gatewayUrl,
    stop: async (ms) => {
      // Calls of the queue that run are finished; those that wait are made after the next start.
      await calls.stop(ms);
      await agent.drain();
      await new Promise<void>((resolve) => void clock.after(farewellMs, resolve));
      // While calls are being finished the others still know this node, and take what it passes on.
      await dataPlane.stop(ms);
      await unwind({ kind: 'stopped', drainMs: ms });
      log.info({}, 'node stopped');
    },
  };
};

/** An address that listens on every interface is reached on this machine through loopback. */
const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);

const programVersion = async (): Promise<string> => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
};
