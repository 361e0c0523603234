import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '../../src/cli/client.ts';
import { runSkein, skeinProgram, type Ran } from '../../src/cli/testing/run-skein.ts';
import type { FunctionDeployment } from '../../src/domain/function.ts';
import type { FederationStatus } from '../../src/gateway/needs.ts';
import { readPidFile } from '../../src/std/pid-file.ts';
import type { Bundles } from './bundles.fixture.ts';
import { freePort, processesOf, signal } from './processes.ts';
import { GiveUp, until } from './until.ts';

/** A folder whose path is its real one, as processes are told apart by it. */
export const temporaryFolder = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'skein-e2e-')));

/** `process.env` without what it says of Skein. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SKEIN_|OPENFAAS_)/.test(name)));

/** How long nodes may take to start and to find each other: programs are read and compiled, several at once. */
const startMs = 120_000;

export type FederationOptions = {
  /** Of node-1, node-2, … */
  readonly slots: readonly number[];
  /** For every node, as on the command line. */
  readonly flags?: readonly string[];
};

/** Nodes of this machine, each started by `skein node` in a process of its own, below one data folder. */
export class Federation {
  readonly data: string;
  readonly nodes: readonly TestNode[];

  private constructor(data: string, nodes: readonly TestNode[]) {
    this.data = data;
    this.nodes = nodes;
  }

  /** Starts the nodes; they all see each other when it resolves. What was started is ended when it fails. */
  static async start({ slots, flags = [] }: FederationOptions): Promise<Federation> {
    const data = temporaryFolder();
    const places: Place[] = [];
    for (const count of slots) {
      const [gateway, metrics, peer, federation] = [
        await freePort(),
        await freePort(),
        await freePort(),
        await freePort(),
      ];
      places.push({ name: `node-${places.length + 1}`, slots: count, gateway, metrics, peer, federation });
    }
    const nodes = places.map((place) => {
      const others = places.filter((other) => other !== place).map(({ federation }) => `127.0.0.1:${federation}`);
      return new TestNode(data, place, [
        ...(others.length > 0 ? ['--federation-bootstrap', others.join(',')] : []),
        ...flags,
      ]);
    });
    const federation = new Federation(data, nodes);
    try {
      for (const node of nodes) node.start();
      await federation.whole();
      return federation;
    } catch (error) {
      const logs = nodes.map((node) => node.log()).join('\n');
      await federation.end().catch(() => undefined);
      throw new Error(`the federation did not start; its logs end with:\n${logs}`, { cause: error });
    }
  }

  /** Node number `index`, from 1. */
  node(index: number): TestNode {
    const node = this.nodes[index - 1];
    if (node === undefined) throw new Error(`there is no node-${index}`);
    return node;
  }

  /** Resolves when every node sees all the others alive. */
  async whole(): Promise<void> {
    for (const node of this.nodes) {
      await until(
        `${node.name} sees everyone`,
        async () => {
          node.assertRuns();
          const { members } = await node.status();
          return members.filter(({ state }) => state === 'alive').length === this.nodes.length;
        },
        startMs,
      );
    }
  }

  /** Puts the bundles and deploys at node-1; resolves when every node can be called for each function. */
  async deploy(bundles: Bundles, ...names: readonly string[]): Promise<void> {
    for (const name of names) await this.deployAs(bundles, { service: name, image: name });
    for (const name of names) await this.everywhere(name);
  }

  async deployAs(bundles: Bundles, deployment: FunctionDeployment, at = this.node(1)): Promise<void> {
    await bundles.push(deployment.image, at.client());
    await at.client().deploy(deployment);
  }

  /** Resolves when all nodes have told all others that the function lives at them. */
  async everywhere(name: string): Promise<void> {
    for (const node of this.nodes) {
      await until(`${node.name} knows where ${name} lives`, async () => {
        const { members } = await node.status();
        return members.every(({ functions }) => functions.includes(`${name}.openfaas-fn`));
      });
    }
  }

  /** Stops everything, removes the folder, and fails when `skein down` has left a process. */
  async end(): Promise<void> {
    for (const node of this.nodes) node.thaw();
    const down = await runSkein(['down', '--data', this.data]);
    const left = await gone(this.data);
    rmSync(this.data, { recursive: true, force: true });
    if (down.code !== 0) throw new Error(`skein down failed: ${down.err}`);
    if (left.length > 0) throw new Error(`skein down left processes:\n${left.join('\n')}`);
  }
}

/** What of the folder runs although it should have ended; that is ended now. */
export const gone = async (data: string): Promise<readonly string[]> => {
  // Workers that lose their agent end by themselves, in a moment.
  await until('no process is left', () => processesOf(data).length === 0, 15_000).catch(() => undefined);
  const left = processesOf(data);
  for (const { pid } of left) signal(pid, 'SIGKILL');
  return left.map(({ pid, command }) => `${pid} ${command}`);
};

type Place = {
  readonly name: string;
  readonly slots: number;
  readonly gateway: number;
  readonly metrics: number;
  readonly peer: number;
  readonly federation: number;
};

export class TestNode {
  readonly name: string;
  readonly slots: number;
  readonly url: string;
  readonly metricsUrl: string;
  readonly folder: string;
  readonly #data: string;
  readonly #flags: readonly string[];
  #agent: ChildProcess | undefined;

  constructor(data: string, place: Place, flags: readonly string[]) {
    this.name = place.name;
    this.slots = place.slots;
    this.url = `http://127.0.0.1:${place.gateway}`;
    this.metricsUrl = `http://127.0.0.1:${place.metrics}/metrics`;
    this.folder = join(data, place.name);
    this.#data = data;
    this.#flags = [
      ...['node', '--data', data, '--node-name', place.name, '--capacity-slots', String(place.slots)],
      ...['--gateway-listen', `127.0.0.1:${place.gateway}`, '--metrics-listen', `127.0.0.1:${place.metrics}`],
      ...['--peer-listen', `127.0.0.1:${place.peer}`, '--federation-listen', `127.0.0.1:${place.federation}`],
      ...flags,
    ];
  }

  /** Starts the agent, which starts or adopts the rest. */
  start(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const output = openSync(join(this.folder, 'agent.log'), 'a', 0o600);
    this.#agent = spawn(skeinProgram, this.#flags, {
      cwd: this.#data,
      stdio: ['ignore', output, output],
      env: cleanEnvironment(),
    });
    closeSync(output);
  }

  /** Starts it and waits until it can be asked. */
  async restart(): Promise<void> {
    this.start();
    await until(`${this.name} answers`, () => {
      this.assertRuns();
      return this.status();
    }).catch((error: unknown) => {
      if (error instanceof GiveUp) throw error;
      throw new Error(`${this.name} did not come back; its log ends with:\n${this.log()}`, { cause: error });
    });
  }

  /** An agent that ended by itself is found out at once. */
  assertRuns(): void {
    const code = this.#agent?.exitCode;
    if (code != null) throw new GiveUp(`the agent of ${this.name} ended with code ${code}\n${this.log()}`);
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<void> {
    this.#agent?.kill('SIGTERM');
    await until(`${this.name} has stopped`, () => processesOf(`${this.folder}/`).length === 0);
  }

  /** The control plane alone. */
  async killAgent(): Promise<void> {
    const pid = this.agentPid();
    signal(pid, 'SIGKILL');
    await until(`the agent of ${this.name} is dead`, () => readPidFile(join(this.folder, 'agent.pid')) === undefined);
  }

  /** As a machine dies: agent, data plane, replicas and idle workers at once. */
  kill(): void {
    this.#signalAll('SIGKILL');
  }

  /** As a machine that hangs: its connections stay open and nothing answers. */
  freeze(): void {
    this.#signalAll('SIGSTOP');
  }

  thaw(): void {
    this.#signalAll('SIGCONT');
  }

  #signalAll(name: NodeJS.Signals): void {
    const pids = [this.#pid('agent.pid'), ...processesOf(`${this.folder}/`).map(({ pid }) => pid)];
    for (const pid of pids) if (pid !== undefined) signal(pid, name);
  }

  agentPid(): number {
    return this.#pid('agent.pid') ?? this.#missing('agent');
  }

  planePid(): number {
    return this.#pid('plane.pid') ?? this.#missing('data plane');
  }

  /** Of one function's replicas, sorted. */
  replicaPids(name: string): readonly number[] {
    const text = readText(join(this.folder, 'functions/ledger.json')) || '{"replicas":[]}';
    const ledger = JSON.parse(text) as {
      readonly replicas: readonly {
        readonly process: { readonly pid: number };
        readonly spec: { ref: { name: string } };
      }[];
    };
    return ledger.replicas
      .filter(({ spec }) => spec.ref.name === name)
      .map(({ process: { pid } }) => pid)
      .sort((a, b) => a - b);
  }

  client(): Client {
    return createClient({ data: this.#data, gateway: this.url, json: false, quiet: true });
  }

  status(): Promise<FederationStatus> {
    return this.client().federation();
  }

  /** Calls a function here. */
  call(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}/function/${path}`, { signal: AbortSignal.timeout(30_000), ...init });
  }

  skein(...args: readonly string[]): Promise<Ran> {
    return runSkein([...args, '--data', this.#data, '--gateway', this.url]);
  }

  /** The last lines of the agent and the data plane. */
  log(): string {
    return ['agent.log', 'plane.log']
      .map((name) => {
        const text = readText(join(this.folder, name));
        return `--- ${this.name} ${name}\n${text.trimEnd().split('\n').slice(-15).join('\n')}`;
      })
      .join('\n');
  }

  #pid(file: string): number | undefined {
    return readPidFile(join(this.folder, file))?.pid;
  }

  #missing(what: string): never {
    throw new Error(`${this.name} has no ${what}`);
  }
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};
