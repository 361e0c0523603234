import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { BundleStore } from '../bundles/bundle-store.ts';
import { FileBundleStore } from '../bundles/file-store.ts';
import { pack } from '../bundles/pack.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { revisionOf } from '../catalogue/placement.ts';
import { MemoryCatalogueStore } from '../catalogue/store.ts';
import { keys } from '../catalogue/record.ts';
import { selfSigned } from '../dataplanes/certificate.ts';
import type { DataPlane, Observation } from '../dataplanes/data-plane.ts';
import { SkeinError } from '../domain/errors.ts';
import { functionKey, parseDigest, type Digest } from '../domain/ids.ts';
import { loadOrCreateIdentity } from '../membership/identity.ts';
import { MemoryMembership } from '../membership/memory/memory-membership.ts';
import { MemoryNetwork } from '../membership/memory/memory-network.ts';
import { MemoryProvider } from '../providers/memory/memory-provider.ts';
import type { Plan } from '../routing/plan.ts';
import { ManualClock } from '../std/clock.ts';
import { seeded } from '../std/random.ts';
import { strategyNamed } from '../strategies/registry.ts';
import { agentInstruments } from '../telemetry/agent-instruments.ts';
import { silentLog } from '../telemetry/log.ts';
import { Agent } from './agent.ts';
import { KeptScale } from './kept-scale.ts';
import { PeerFetch } from './peer-fetch.ts';

/** A data plane that answers when it is let. */
class HeldPlane implements DataPlane {
  readonly plans: Plan[] = [];
  asked = 0;
  takes = true;
  #held: (() => void)[] | undefined;

  hold(): void {
    this.#held = [];
  }

  letGo(): void {
    for (const go of this.#held ?? []) go();
    this.#held = undefined;
  }

  async observe(): Promise<Observation> {
    this.asked += 1;
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => void held.push(resolve));
    const planVersion = this.plans.at(-1)?.version ?? 0;
    return { at: 1, since: 1, planVersion, inFlight: 0, queued: 0, functions: {}, peers: {} };
  }

  apply(plan: Plan): Promise<void> {
    if (!this.takes) return Promise.reject(new SkeinError('unavailable', 'it does not answer'));
    this.plans.push(plan);
    return Promise.resolve();
  }

  address() {
    const nowhere = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
    return { gateway: nowhere, peer: nowhere };
  }
  start = (): Promise<void> => Promise.resolve();
  stop = (): Promise<void> => Promise.resolve();
  release = (): Promise<void> => Promise.resolve();
  carried = (): Promise<undefined> => Promise.resolve(undefined);
  hint = (): void => undefined;
  metrics = (): Promise<readonly unknown[]> => Promise.resolve([]);
  onDemand = (): (() => void) => () => undefined;
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Started = {
  readonly agent: Agent;
  readonly plane: HeldPlane;
  readonly clock: ManualClock;
  readonly network: MemoryNetwork;
  readonly warnings: readonly string[];
};

const announcement = {
  name: 'node-1',
  version: '1',
  labels: {},
  roles: [],
  peer: { host: '127.0.0.1', port: 1 },
  gateway: '',
  addresses: [],
};

type Parts = {
  readonly catalogue: Catalogue;
  readonly provider: MemoryProvider;
  readonly plane: HeldPlane;
  readonly bundles: BundleStore;
};

const start = async (
  prepare: (parts: Parts) => Promise<void> = async () => undefined,
  code: () => Promise<RequestListener> = () => Promise.resolve(() => undefined),
): Promise<Started> => {
  const folder = await mkdtemp(join(tmpdir(), 'skein-agent-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const clock = new ManualClock(1_800_000_000_000);
  const random = seeded(1);
  const identity = await loadOrCreateIdentity(join(folder, 'identity.pem'));
  const network = new MemoryNetwork({ clock, random });
  const membership = new MemoryMembership({ clock, log: silentLog, network, identity });
  const store = new MemoryCatalogueStore();
  const catalogue = new Catalogue({ store, membership, clock, random, log: silentLog, self: identity.id });
  await catalogue.start();
  await membership.start();
  const plane = new HeldPlane();
  const provider = new MemoryProvider({ clock, code: () => code, maxReplicas: 4 });
  const bundles = await FileBundleStore.open(join(folder, 'bundles'));
  await prepare({ catalogue, provider, plane, bundles });
  const warnings: string[] = [];
  const peerFetch = new PeerFetch(await selfSigned(identity.privateKey, Date.now()));
  const agent = new Agent({
    self: identity.id,
    node: { name: 'node-1', roles: [], labels: {} },
    slots: 4,
    measuredSlots: undefined,
    cores: 1,
    catalogue,
    membership,
    provider,
    dataPlane: plane,
    strategy: strategyNamed('least-loaded'),
    strategyPeriodMs: 1_000,
    bundles,
    secretVersions: () => '',
    peerFetch,
    instruments: agentInstruments(),
    clock,
    random,
    log: { ...silentLog, warn: (_fields, message) => void warnings.push(message) },
    maxReplicas: 4,
    idleMs: 1_000,
    keptScale: await KeptScale.open(join(folder, 'scale.json')),
    queued: () => Promise.resolve(new Map()),
    queueMs: 0,
    timeoutMs: 1_000,
    announcement,
  });
  await agent.start();
  ends.push(
    () => membership.stop(),
    () => catalogue.stop(),
    () => agent.stop(),
  );
  return { agent, plane, clock, network, warnings };
};

/** Lets what was promised come about. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('a data plane that takes long to answer is asked one thing at a time', async () => {
  const { plane, clock } = await start();
  plane.hold();
  const before = plane.asked;
  for (let look = 0; look < 8; look += 1) {
    clock.advance(250);
    await turns();
  }
  expect(plane.asked).toBe(before + 1);
  plane.letGo();
  await turns();
  clock.advance(250);
  await turns();
  expect(plane.asked).toBe(before + 2);
});

test('a plan that the data plane did not take is made again once it answers', async () => {
  const { agent, plane, clock } = await start();
  plane.takes = false;
  const inForce = agent.inForce();
  await turns();
  const before = plane.plans.length;
  plane.takes = true;
  clock.advance(250);
  await inForce;
  expect(plane.plans.length).toBeGreaterThan(before);
});

test('a replica is available once the data plane has taken the plan that names it', async () => {
  const { agent, plane, clock } = await start(async ({ catalogue, provider, plane: untaking }) => {
    const ref = { name: 'echo', namespace: 'openfaas-fn' };
    const digest = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest;
    const deployment = { service: 'echo', image: 'echo' };
    await provider.deploy({ ref, revision: '1', digest, deployment }, 1);
    await catalogue.put(keys.function(ref.namespace, ref.name), {
      deployment,
      digest,
      createdAt: '2026-01-01T00:00:00Z',
    });
    untaking.takes = false;
  });
  const counts = async () => (await agent.here().list(new AbortController().signal))[0];
  expect(await counts()).toMatchObject({ placed: true, replicas: 1, availableReplicas: 0, ready: false });
  plane.takes = true;
  clock.advance(250);
  await turns();
  expect(await counts()).toMatchObject({ placed: true, replicas: 1, availableReplicas: 1 });
});

test('a function that fails is planned as one, in words that quote nothing, until it starts', async () => {
  let broken = true;
  const code = async (): Promise<RequestListener> => {
    if (broken) throw new Error('it does not like swordfish');
    return (_, answer) => answer.end();
  };
  const value = {
    deployment: { service: 'echo', image: 'echo' },
    digest: parseDigest(`sha256:${'0'.repeat(64)}`) as Digest,
    createdAt: '2026-01-01T00:00:00Z',
  };
  const { agent, plane, clock } = await start(async ({ catalogue, provider }) => {
    const ref = { name: 'echo', namespace: 'openfaas-fn' };
    await provider.deploy({ ref, revision: revisionOf(value, value.deployment), ...value }, 0);
    await catalogue.put(keys.function('openfaas-fn', 'echo'), value);
  }, code);
  const planned = () => plane.plans.at(-1)?.functions[functionKey('echo')];
  await turns();
  expect(planned()).toMatchObject({ canStart: false, problem: expect.stringMatching(/^Its replicas/) });
  expect(JSON.stringify(plane.plans)).not.toContain('swordfish');
  expect(agent.readyKeys()).toEqual([]);
  const list = () => agent.here().list(new AbortController().signal);
  expect(await list()).toMatchObject([{ ready: false, problem: expect.stringContaining('swordfish') }]);
  broken = false;
  clock.advance(250);
  await expect.poll(() => planned()?.replicas.length).toBe(1);
  expect(planned()).not.toHaveProperty('problem');
  expect(agent.readyKeys()).toEqual(['echo.openfaas-fn']);
  clock.advance(250);
  await expect.poll(async () => (await list())[0]?.problem).toBeUndefined();
});

test('an update of a function at zero is ready once a replica of it is, and says what is wrong with it', async () => {
  let broken = false;
  const code = async (): Promise<RequestListener> => {
    if (broken) throw new Error('it cannot be imported');
    return (_, answer) => answer.end();
  };
  const manifest = { manifest: 1, mode: 'node', entry: 'handler.mjs' };
  let put = async (_envVars: Readonly<Record<string, string>>): Promise<void> => undefined;
  const { agent, clock } = await start(async ({ catalogue, bundles }) => {
    const files = Object.entries({ 'skein.json': JSON.stringify(manifest), 'handler.mjs': '' });
    const { digest } = await bundles.put(
      pack(files.map(([path, text]) => ({ path, contents: Buffer.from(text), executable: false }))),
    );
    put = async (envVars) => {
      const deployment = { service: 'echo', image: 'echo', envVars };
      await catalogue.put(keys.function('openfaas-fn', 'echo'), {
        deployment,
        digest,
        createdAt: '2026-01-01T00:00:00Z',
      });
    };
    await put({});
  }, code);
  const status = async () => (await agent.here().list(new AbortController().signal))[0];
  await expect.poll(status).toMatchObject({ replicas: 1, ready: true });
  await expect
    .poll(async () => {
      clock.advance(1_000);
      return status();
    })
    .toMatchObject({ replicas: 0, ready: true });
  broken = true;
  await put({ GREETING: 'Hi' });
  const seen: (boolean | undefined)[] = [];
  await expect
    .poll(async () => {
      const there = await status();
      seen.push(there?.ready);
      return there?.problem;
    })
    .toContain('cannot be imported');
  expect(seen).not.toContain(true);
  broken = false;
  // Less than what makes it idle.
  clock.advance(600);
  await expect.poll(status).toMatchObject({ replicas: 1, ready: true });
});

test('who waits for a plan waits for one that is made after that, and not for ever', async () => {
  const { agent, plane, clock } = await start();
  const before = plane.plans.at(-1)!.version;
  await agent.inForce();
  expect(plane.plans.at(-1)!.version).toBeGreaterThan(before);
  plane.takes = false;
  const late = agent.inForce();
  await turns();
  clock.advance(15_000);
  await expect(late).resolves.toBeUndefined();
});

test('another node of the same name is warned of once, and told of while it is there', async () => {
  const { agent, clock, network, warnings } = await start();
  const folder = await mkdtemp(join(tmpdir(), 'skein-agent-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const identity = await loadOrCreateIdentity(join(folder, 'identity.pem'));
  const other = new MemoryMembership({ clock, log: silentLog, network, identity });
  other.announce({ ...announcement, slots: 4, draining: false });
  await other.start();
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 250) {
      clock.advance(250);
      await turns();
    }
  };
  await pass(2_000);
  expect(agent.problems).toEqual([expect.stringContaining('2 nodes are called node-1')]);
  expect(agent.problems[0]).toContain(identity.id);
  expect(warnings).toEqual(['nodes of one name in the federation']);
  await other.stop();
  await pass(2_000);
  expect(agent.problems).toEqual([]);
});
