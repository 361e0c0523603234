import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { portInUse } from '../domain/cannot-listen.ts';
import { SkeinError } from '../domain/errors.ts';
import { boundFile } from '../std/bounded-file.ts';
import { readFederation } from './federation-client.ts';

export type FederationPlan = {
  readonly data: string;
  readonly nodes: readonly NodePlan[];
  readonly strategy: string;
  /** What carries requests: `embedded`, unless said otherwise. */
  readonly dataPlane?: string;
  readonly password: string;
};

export type NodePlan = { readonly name: string; readonly slots: number; readonly ports: NodePorts };
export type NodePorts = {
  readonly gateway: number;
  readonly metrics: number;
  readonly peer: number;
  readonly federation: number;
};

/** Where the ports of a node of `skein up` are, counted from its gateway's. */
export const portsFrom = (gateway: number): NodePorts => ({
  gateway,
  metrics: gateway + 1_000,
  peer: gateway + 2_000,
  federation: gateway + 3_000,
});

const host = '127.0.0.1';
export const urlOf = ({ ports }: NodePlan): string => `http://${host}:${ports.gateway}`;

const readyMs = 60_000;
const stopMs = 20_000;
const restartMs = 1_000;
const longestRestartMs = 60_000;
/** Of a node's `agent.log`; one before it is kept beside it. */
const maxLogBytes = 4 * 1024 * 1024;
const boundLogsMs = 10_000;

/** A port that is taken is said in one sentence before anything is started. */
export const checkPorts = async (nodes: readonly NodePlan[]): Promise<void> => {
  for (const { name, ports } of nodes) {
    for (const [what, port] of Object.entries(ports)) {
      if (await isFree(port)) continue;
      throw portInUse({ port, purpose: `${what} of ${name}`, setting: '--port' });
    }
  }
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });

/** Nodes of this machine as child processes: started together, watched, stopped together. */
export class LocalFederation {
  readonly #plan: FederationPlan;
  readonly #log: (line: string) => void;
  readonly #children = new Map<string, ChildProcess>();
  readonly #restarts = new Map<string, { readonly at: number; readonly failures: number }>();
  #stopping = false;

  constructor(plan: FederationPlan, log: (line: string) => void) {
    this.#plan = plan;
    this.#log = log;
  }

  start(): void {
    for (const node of this.#plan.nodes) this.#spawn(node);
    const bound = setInterval(() => {
      for (const { name } of this.#plan.nodes) {
        boundFile(join(this.#plan.data, name, 'agent.log'), maxLogBytes).catch((error: Error) =>
          this.#log(error.message),
        );
      }
    }, boundLogsMs);
    bound.unref();
  }

  /** Resolves when every node answers and sees all the others. */
  async ready(): Promise<void> {
    const giveUpAt = performance.now() + readyMs;
    for (const node of this.#plan.nodes) {
      for (;;) {
        const seen = await readFederation(urlOf(node), this.#plan.password);
        const alive = seen?.members.filter(({ state }) => state === 'alive').length ?? 0;
        if (alive >= this.#plan.nodes.length) break;
        const child = this.#children.get(node.name);
        if (child?.exitCode != null && child.exitCode > 0) throw this.#failed(node);
        if (performance.now() > giveUpAt) throw this.#failed(node);
        await pause(50);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const running = [...this.#children.values()].filter(isRunning);
    const ended = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), pause(stopMs, undefined, { ref: false })]);
    for (const child of running.filter(isRunning)) child.kill('SIGKILL');
  }

  /** At once, whatever runs. */
  kill(): void {
    for (const child of this.#children.values()) if (isRunning(child)) child.kill('SIGKILL');
  }

  #spawn(node: NodePlan): void {
    const folder = join(this.#plan.data, node.name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const output = openSync(join(folder, 'agent.log'), 'a', 0o600);
    const main = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
    const child = spawn(process.execPath, [...process.execArgv, main, 'node', ...this.#flags(node)], {
      // Ctrl-C in the terminal reaches `up` alone, which stops the nodes in its own order.
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.#children.set(node.name, child);
    child.once('error', (error) => void this.#ended(node, error.message));
    child.once('exit', (code, signal) => void this.#ended(node, signal ?? code));
  }

  /** A node's agent that ended by itself is started again: its data plane went on meanwhile. */
  async #ended(node: NodePlan, how: string | number | null): Promise<void> {
    if (this.#stopping) return;
    const now = performance.now();
    const before = this.#restarts.get(node.name);
    const failures = before !== undefined && now - before.at < longestRestartMs ? before.failures + 1 : 0;
    this.#restarts.set(node.name, { at: now, failures });
    this.#log(`the agent of ${node.name} ended (${how}); starting it again`);
    await pause(Math.min(longestRestartMs, restartMs * 2 ** Math.min(failures, 6)), undefined, { ref: false });
    if (this.#stopping) return;
    try {
      await boundFile(join(this.#plan.data, node.name, 'agent.log'), maxLogBytes);
      this.#spawn(node);
    } catch (error) {
      await this.#ended(node, (error as Error).message);
    }
  }

  #flags(node: NodePlan): readonly string[] {
    const { data, nodes, strategy, dataPlane } = this.#plan;
    const others = nodes.filter(({ name }) => name !== node.name).map(({ ports }) => `${host}:${ports.federation}`);
    const flags: Readonly<Record<string, string>> = {
      data,
      'node-name': node.name,
      'gateway-listen': `${host}:${node.ports.gateway}`,
      'metrics-listen': `${host}:${node.ports.metrics}`,
      'peer-listen': `${host}:${node.ports.peer}`,
      'federation-listen': `${host}:${node.ports.federation}`,
      'federation-bootstrap': others.join(','),
      'capacity-slots': String(node.slots),
      'strategy-name': strategy,
      'data-plane-kind': dataPlane ?? '',
    };
    return Object.entries(flags).flatMap(([name, value]) => (value === '' ? [] : [`--${name}`, value]));
  }

  #failed(node: NodePlan): SkeinError {
    const file = join(this.#plan.data, node.name, 'agent.log');
    const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    return new SkeinError('unavailable', `${node.name} did not become ready: ${last.slice(0, 500)} (log: ${file})`);
  }
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;
