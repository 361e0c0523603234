import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Plan, TcpAddress } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import { boundFile } from '../../std/bounded-file.ts';
import { readPidFile, removePidFile, writePidFile } from '../../std/pid-file.ts';
import { isAlive } from '../../std/process-identity.ts';
import { signalProcess } from '../../std/signal-process.ts';
import type { Log } from '../../telemetry/log.ts';
import type { DataPlane, Demand, Observation, PeerHint } from '../data-plane.ts';
import { ControlLink } from './control-link.ts';
import { cannotListenCode, type Launch } from './protocol.ts';

export type EmbeddedDataPlaneNeeds = {
  /** Of the node: `plane.pid`, `plan.json`, `plane.log` live here. */
  readonly folder: string;
  /** Short path for sockets. */
  readonly runFolder: string;
  readonly settings: Omit<Launch, 'controlSocket' | 'planFile'>;
  readonly clock: Clock;
  readonly log: Log;
  /** How long the process may take to tell what it observes, milliseconds; default 3 s. */
  readonly answerMs?: number;
};

/** One that left so many observations in a row unanswered is frozen: it is ended, and started again. */
const mostSilences = 3;
/** A machine that has its hands full takes its time; a process that ends is noticed at once. */
const startMs = 60_000;
const endMs = 15_000;
/** Long enough for one that has its hands full: to take it for frozen would break off all it carries. */
const helloMs = 8_000;
const boundLogMs = 10_000;
/** Of `plane.log`; one before it is kept beside it. */
const maxLogBytes = 4 * 1024 * 1024;
const pollMs = 15;
/** A process that fails again and again is started at most this often. */
const restartMs = 500;

/** The embedded data plane as its agent sees it: a process that is started, adopted, watched and told. */
export class EmbeddedDataPlane implements DataPlane {
  readonly #needs: EmbeddedDataPlaneNeeds;
  readonly #listeners = new Set<(demand: Demand) => void>();
  #link: ControlLink | undefined;
  #plan: Plan | undefined;
  #ended = false;
  #adopted = false;
  #stopBounding: (() => void) | undefined;
  #restarting: Promise<void> | undefined;

  constructor(needs: EmbeddedDataPlaneNeeds) {
    this.#needs = needs;
  }

  /** Whether the process was there before `start`. */
  get adopted(): boolean {
    return this.#adopted;
  }

  async start(): Promise<void> {
    this.#stopBounding ??= this.#needs.clock.every(boundLogMs, () => {
      boundFile(this.#logFile, maxLogBytes).catch((error: unknown) =>
        this.#needs.log.warn({ problem: messageOf(error) }, 'the log of the data plane could not be bounded'),
      );
    });
    const running = readPidFile(this.#pidFile);
    const unchanged = await this.#sameSettings();
    if (running !== undefined && unchanged) {
      try {
        this.#watch(await this.#open());
        this.#adopted = true;
        this.#needs.log.info({ pid: running.pid }, 'data plane adopted');
        return;
      } catch (error) {
        this.#needs.log.warn({ error: messageOf(error) }, 'the data plane that runs does not answer; starting another');
      }
    }
    if (running !== undefined) await this.#end(running.pid);
    await this.#spawn();
  }

  async stop(drainMs: number): Promise<void> {
    this.#ended = true;
    // One that is being started would outlive the order to stop.
    await this.#restarting;
    const running = readPidFile(this.#pidFile);
    this.#stopBounding?.();
    if (this.#link === undefined && running !== undefined) signalProcess(running, 'SIGTERM');
    this.#link?.stop(drainMs);
    const end = this.#needs.clock.monotonic() + drainMs + 2_000;
    while (running !== undefined && isAlive(running)) {
      if (this.#needs.clock.monotonic() > end) signalProcess(running, 'SIGKILL');
      await this.#pause(pollMs);
    }
    removePidFile(this.#pidFile);
    this.#link?.close();
  }

  async release(): Promise<void> {
    this.#ended = true;
    this.#stopBounding?.();
    await this.#restarting;
    this.#link?.close();
    await this.#link?.closed;
  }

  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress } {
    const hello = this.#link?.hello;
    if (hello === undefined) throw new SkeinError('unavailable', 'the data plane was not started yet');
    const { gateway, peer } = this.#needs.settings;
    return {
      gateway: { kind: 'tcp', host: gateway.host, port: hello.gatewayPort },
      peer: { kind: 'tcp', host: peer.host, port: hello.peerPort },
    };
  }

  async apply(plan: Plan): Promise<void> {
    if (this.#plan !== undefined && plan.version < this.#plan.version) return;
    this.#plan = plan;
    if (this.#link === undefined) {
      throw new SkeinError('unavailable', 'the data plane does not run; it gets the plan when it does');
    }
    await this.#link.apply(plan);
  }

  async carried(): Promise<Plan | undefined> {
    if (!this.#adopted) return undefined;
    try {
      return JSON.parse(await readFile(this.#launch.planFile, 'utf8')) as Plan;
    } catch {
      // Without it the agent begins as after a first start, which costs some seconds of sharing.
      return undefined;
    }
  }

  hint(peers: readonly PeerHint[]): void {
    this.#link?.hint(peers);
  }

  async observe(): Promise<Observation> {
    const link = this.#link;
    if (link === undefined) throw new SkeinError('unavailable', 'the data plane does not run');
    try {
      return await link.observe(this.#needs.answerMs ?? 3_000);
    } catch (error) {
      if (link === this.#link && link.silences >= mostSilences) this.#replace(link);
      throw error;
    }
  }

  metrics(): Promise<readonly unknown[]> {
    return this.#link?.metrics() ?? Promise.resolve([]);
  }

  onDemand(listener: (demand: Demand) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get #pidFile(): string {
    return join(this.#needs.folder, 'plane.pid');
  }

  get #launchFile(): string {
    return join(this.#needs.folder, 'plane.json');
  }

  get #logFile(): string {
    return join(this.#needs.folder, 'plane.log');
  }

  get #launch(): Launch {
    return {
      ...this.#needs.settings,
      controlSocket: join(this.#needs.runFolder, 'plane.sock'),
      planFile: join(this.#needs.folder, 'plan.json'),
    };
  }

  async #sameSettings(): Promise<boolean> {
    const before = await readFile(this.#launchFile, 'utf8').catch(() => undefined);
    return before === JSON.stringify(this.#launch);
  }

  #open(): Promise<ControlLink> {
    return ControlLink.open(this.#launch.controlSocket, helloMs, (demand) => {
      for (const listener of this.#listeners) listener(demand);
    });
  }

  async #spawn(): Promise<void> {
    await mkdir(this.#needs.folder, { recursive: true, mode: 0o700 });
    await rm(this.#launch.controlSocket, { force: true });
    await writeFile(this.#launchFile, JSON.stringify(this.#launch), { mode: 0o600 });
    const output = openSync(this.#logFile, 'a', 0o600);
    const { size: saidBefore } = fstatSync(output);
    const main = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, this.#launchFile], {
      detached: true,
      stdio: ['ignore', output, output],
      env: environment(),
    });
    closeSync(output);
    // A program that cannot be run is told by its missing pid below.
    child.once('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new SkeinError('internal', `the data plane cannot be started: ${main}`);
    writePidFile(this.#pidFile, child.pid);
    const end = this.#needs.clock.monotonic() + startMs;
    for (;;) {
      try {
        this.#watch(await this.#open());
        return;
      } catch (error) {
        const hasEnded = child.exitCode !== null || child.signalCode !== null;
        if (hasEnded || this.#needs.clock.monotonic() > end) {
          child.kill('SIGKILL');
          removePidFile(this.#pidFile);
          throw new SkeinError('unavailable', this.#whyNot(child.exitCode, saidBefore), { cause: error });
        }
        await this.#pause(pollMs);
      }
    }
  }

  #watch(link: ControlLink): void {
    this.#link = link;
    void link.closed.then(() => {
      this.#link = undefined;
      if (!this.#ended) this.#restarting = this.#restart();
    });
  }

  /** Nothing else ends a process that is frozen. Its link closes with it, and then it is started again. */
  #replace(link: ControlLink): void {
    const running = readPidFile(this.#pidFile);
    this.#needs.log.error({ pid: running?.pid }, 'the data plane does not answer; ending it');
    if (running !== undefined) signalProcess(running, 'SIGKILL');
    link.close();
  }

  /** A data plane that ends without being asked is started again, with the plan it had. */
  async #restart(): Promise<void> {
    while (!this.#ended) {
      this.#needs.log.warn({}, 'the data plane is gone; starting it again');
      try {
        await this.start();
        if (this.#plan !== undefined) await this.apply(this.#plan);
        return;
      } catch (error) {
        this.#needs.log.error({ error: messageOf(error) }, 'the data plane does not start');
        await this.#pause(restartMs);
      }
    }
  }

  async #end(pid: number): Promise<void> {
    const identity = readPidFile(this.#pidFile);
    if (identity?.pid !== pid) return;
    signalProcess(identity, 'SIGTERM');
    const end = this.#needs.clock.monotonic() + endMs;
    while (isAlive(identity)) {
      if (this.#needs.clock.monotonic() > end) signalProcess(identity, 'SIGKILL');
      await this.#pause(pollMs);
    }
  }

  /** Its last words, after the first `saidBefore` bytes of the log; a sentence for people where it could not listen. */
  #whyNot(exitCode: number | null, saidBefore: number): string {
    const said = readFileSync(this.#logFile).subarray(saidBefore).toString().trimEnd();
    const words = said === '' ? 'it said nothing' : said.slice(said.lastIndexOf('\n') + 1);
    return exitCode === cannotListenCode ? words : `the data plane did not start: ${words} (log: ${this.#logFile})`;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#needs.clock.after(ms, resolve);
    });
  }
}

/** What the process needs of ours; a certificate bundle to read at every start costs more than the rest of it. */
const environment = (): NodeJS.ProcessEnv => {
  const { NODE_EXTRA_CA_CERTS: _ca, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
};
