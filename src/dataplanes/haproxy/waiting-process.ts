import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SkeinError } from '../../domain/errors.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import { readLines } from '../../std/read-lines.ts';
import { readPidFile, removePidFile, writePidFile } from '../../std/pid-file.ts';
import { isAlive } from '../../std/process-identity.ts';
import { signalProcess } from '../../std/signal-process.ts';
import type { Demand } from '../data-plane.ts';
import type { WaitingLaunch, WaitingReport } from './waiting-protocol.ts';

export type WaitingProcessNeeds = {
  readonly pidFile: string;
  readonly launchFile: string;
  readonly logFile: string;
  readonly launch: WaitingLaunch;
  readonly clock: Clock;
  readonly environment: NodeJS.ProcessEnv;
  readonly onDemand: (demand: Demand) => void;
  /** It ended, or broke off, without being asked. */
  readonly onGone: () => void;
};

/** A machine that has its hands full takes its time. */
const startMs = 60_000;
const answerMs = 5_000;
const pollMs = 15;

type Asked = Readonly<Record<'queued' | 'metrics', ((report: WaitingReport | undefined) => void)[]>>;
type Queued = { readonly [key: FunctionKey]: number };

/** The waiting room as its agent sees it: a process that is started, adopted and asked. */
export class WaitingProcess {
  readonly #needs: WaitingProcessNeeds;
  #socket: Socket | undefined;
  /** Answers come in the order of the questions of one kind. */
  readonly #asked: Asked = { queued: [], metrics: [] };

  constructor(needs: WaitingProcessNeeds) {
    this.#needs = needs;
  }

  /** Adopts the one that runs; false when there is none that answers. */
  async adopt(): Promise<boolean> {
    if (readPidFile(this.#needs.pidFile) === undefined) return false;
    return this.#open().then(
      () => true,
      () => false,
    );
  }

  async start(): Promise<void> {
    await this.end();
    const { launch, launchFile, logFile, pidFile, clock } = this.#needs;
    await rm(launch.control, { force: true });
    await writeFile(launchFile, JSON.stringify(launch), { mode: 0o600 });
    const output = openSync(logFile, 'a', 0o600);
    const main = fileURLToPath(new URL(`./waiting-main${extname(import.meta.url)}`, import.meta.url));
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, launchFile], {
      detached: true,
      stdio: ['ignore', output, output],
      env: this.#needs.environment,
    });
    closeSync(output);
    child.once('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new SkeinError('internal', `the waiting room cannot be started: ${main}`);
    writePidFile(pidFile, child.pid);
    const end = clock.monotonic() + startMs;
    for (;;) {
      try {
        return await this.#open();
      } catch (cause) {
        if (child.exitCode !== null || child.signalCode !== null || clock.monotonic() > end) {
          child.kill('SIGKILL');
          removePidFile(pidFile);
          throw new SkeinError('unavailable', `the waiting room did not start (log: ${logFile})`, { cause });
        }
        await this.#pause();
      }
    }
  }

  /** How many calls wait for room, by function; nothing where it does not answer. */
  async queued(): Promise<Queued> {
    const report = await this.#ask('queued');
    return report?.kind === 'queued' ? report.functions : {};
  }

  /** Of what it tells of calls, and of no other functions than these; nothing where it does not answer. */
  async metrics(functions: readonly FunctionKey[]): Promise<readonly unknown[]> {
    const report = await this.#ask('metrics', ` ${functions.join(' ')}`);
    return report?.kind === 'metrics' ? report.metrics : [];
  }

  /** Leaves it as it is. */
  release(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  async end(): Promise<void> {
    this.release();
    const running = readPidFile(this.#needs.pidFile);
    if (running !== undefined) {
      signalProcess(running, 'SIGTERM');
      const end = this.#needs.clock.monotonic() + answerMs;
      while (isAlive(running)) {
        if (this.#needs.clock.monotonic() > end) signalProcess(running, 'SIGKILL');
        await this.#pause();
      }
    }
    removePidFile(this.#needs.pidFile);
  }

  #ask(kind: keyof Asked, more = ''): Promise<WaitingReport | undefined> {
    const socket = this.#socket;
    if (socket === undefined || !socket.writable) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), answerMs);
      this.#asked[kind].push((report) => {
        clearTimeout(timer);
        resolve(report);
      });
      socket.write(`${kind}${more}\n`);
    });
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#needs.launch.control);
      const fail = (): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new SkeinError('unavailable', 'the waiting room does not answer'));
      };
      const timer = setTimeout(fail, answerMs);
      socket.once('error', fail);
      readLines(socket, (line) => {
        const report = JSON.parse(line) as WaitingReport;
        if (report.kind === 'demand') this.#needs.onDemand(report.demand);
        else if (report.kind !== 'hello') this.#asked[report.kind].shift()?.(report);
        else {
          clearTimeout(timer);
          socket.off('error', fail);
          socket.on('error', () => socket.destroy());
          this.#socket = socket;
          socket.once('close', () => this.#closed(socket));
          resolve();
        }
      });
    });
  }

  #closed(socket: Socket): void {
    for (const asked of Object.values(this.#asked)) for (const answer of asked.splice(0)) answer(undefined);
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#needs.onGone();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#needs.clock.after(pollMs, resolve));
  }
}
