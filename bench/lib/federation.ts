import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '../../src/cli/client.ts';
import { readFederation } from '../../src/cli/federation-client.ts';
import { buildAndPush } from '../../src/cli/push-bundle.ts';
import { checkPorts, LocalFederation, portsFrom, urlOf, type NodePlan } from '../../src/cli/run-federation.ts';
import { adminPasswordFile, federationKeyFile, newPassword } from '../../src/cli/node-files.ts';
import { endNode } from '../../src/cli/sweep.ts';
import { loadOrCreateFederationKey } from '../../src/membership/federation-key.ts';
import { loadOrCreateSecret } from '../../src/membership/secret-file.ts';
import { readPidFile } from '../../src/std/pid-file.ts';

export type FederationOptions = {
  /** Slots of each node: node-1 first. */
  readonly slots: readonly number[];
  /** Default `least-loaded`. */
  readonly strategy?: string;
  /** Other settings by their `SKEIN_*` names. */
  readonly env?: Readonly<Record<string, string>>;
};

export type BenchNode = {
  readonly name: string;
  readonly url: string;
  readonly slots: number;
  /** Where its state is. */
  readonly folder: string;
  /** The agent; its data plane and workers are below it. */
  readonly pid: () => number;
};

export type BenchFederation = {
  readonly nodes: readonly BenchNode[];
  /** At node-1. */
  readonly client: Client;
  /** Builds a folder and deploys it; resolves when every node knows it. */
  readonly deploy: (folder: string, name: string, labels?: Readonly<Record<string, string>>) => Promise<void>;
};

/** A folder of this repository. */
export const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Starts nodes with state and ports of their own, lets `work` have them and leaves nothing of them, also when it fails or
 * the script is interrupted. One federation at a time.
 */
export const withFederation = async <Result>(
  options: FederationOptions,
  work: (federation: BenchFederation) => Promise<Result>,
): Promise<Result> => {
  const data = await mkdtemp(join(tmpdir(), 'skein-bench-'));
  const nodes = await freeNodes(options.slots);
  setEnvironment(options.env ?? {});
  await loadOrCreateFederationKey(federationKeyFile(data));
  const password = (await loadOrCreateSecret(adminPasswordFile(data), 'the admin password', newPassword)).trim();
  const { strategy = 'least-loaded' } = options;
  const federation = new LocalFederation({ data, nodes, strategy, password }, (line) => console.error(line));
  const interrupted = (): void => {
    void cleanUp().finally(() => process.exit(130));
  };
  const cleanUp = async (): Promise<void> => {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await federation.stop();
    await Promise.all(nodes.map(({ name }) => endNode(join(data, name))));
    await rm(data, { recursive: true, force: true });
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    federation.start();
    await federation.ready();
    const client = createClient({ data, gateway: urlOf(nodes[0]!), json: true, quiet: true });
    return await work({
      nodes: nodes.map((node) => benchNode(node, data)),
      client,
      deploy: async (folder, name, labels = {}) => {
        const { image } = await buildAndPush(folder, name, client);
        await client.deploy({ service: name, image, labels });
        await untilKnown(name, nodes, password);
      },
    });
  } finally {
    await cleanUp();
  }
};

/** What the caller's environment says of Skein must not change what is measured; what `options` says reaches the nodes. */
const setEnvironment = (env: Readonly<Record<string, string>>): void => {
  for (const name of Object.keys(process.env)) if (/^(SKEIN|OPENFAAS)_/.test(name)) delete process.env[name];
  Object.assign(process.env, env);
};

const benchNode = (node: NodePlan, data: string): BenchNode => ({
  name: node.name,
  url: urlOf(node),
  slots: node.slots,
  folder: join(data, node.name),
  pid: () => {
    const agent = readPidFile(join(data, node.name, 'agent.pid'));
    if (agent === undefined) throw new Error(`the agent of ${node.name} does not run`);
    return agent.pid;
  },
});

const firstPort = 22_000;
const lastPort = 22_190;
const portStep = 10;

/** Ports like those of `skein up`, from the first base where all are free. */
export const freeNodes = async (slots: readonly number[]): Promise<readonly NodePlan[]> => {
  for (let base = firstPort; base <= lastPort; base += portStep) {
    const nodes = slots.map((count, index) => ({
      name: `node-${index + 1}`,
      slots: count,
      ports: portsFrom(base + index),
    }));
    const free = await checkPorts(nodes).then(
      () => true,
      () => false,
    );
    if (free) return nodes;
  }
  throw new Error(`no free ports from ${firstPort} on`);
};

const knownMs = 30_000;

/** Until every node says of every node that the function lives there. */
const untilKnown = async (name: string, nodes: readonly NodePlan[], password: string): Promise<void> => {
  const giveUpAt = performance.now() + knownMs;
  const key = `${name}.openfaas-fn`;
  for (;;) {
    const seen = await Promise.all(nodes.map((node) => readFederation(urlOf(node), password)));
    const known = seen.every((status) => status?.members.every(({ functions }) => functions.includes(key)) === true);
    if (known) return;
    if (performance.now() > giveUpAt) throw new Error(`${name} is not known everywhere after ${knownMs / 1000} s`);
    await pause(50);
  }
};
