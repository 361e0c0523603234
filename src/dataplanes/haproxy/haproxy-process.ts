import { execFile, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SkeinError } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { readPidFile, removePidFile, writePidFile } from '../../std/pid-file.ts';
import { isAlive, identify, type ProcessIdentity } from '../../std/process-identity.ts';
import { signalProcess } from '../../std/signal-process.ts';
import { AdminSocket } from './admin-socket.ts';
import { readFeatures, trialOf, type Features } from './features.ts';

const run = promisify(execFile);
/** A machine that has its hands full takes its time; a process that ends is noticed at once. */
const startMs = 60_000;
const helloMs = 8_000;
/** It ends at once when it is told to, unless it is frozen. */
const endMs = 5_000;
const pollMs = 15;

/** HAProxy frees its buffers after each call; given back to the system each time, they would cost more than the call. */
const keptMemory = { MALLOC_TRIM_THRESHOLD_: '268435456', MALLOC_TOP_PAD_: '16777216' };

export type HaproxyProcessNeeds = {
  readonly binary: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly adminSocket: string;
  readonly clock: Clock;
};

/** Somebody listens where HAProxy was to listen. */
export class PortTaken extends SkeinError {
  constructor(cause: unknown) {
    super('unavailable', 'a port of HAProxy is in use', { cause });
  }
}

/** HAProxy as processes: a master that stays, and the worker that it exchanges at a reload. */
export class HaproxyProcess {
  readonly #needs: HaproxyProcessNeeds;

  constructor(needs: HaproxyProcessNeeds) {
    this.#needs = needs;
  }

  /** `unsupported` when there is no HAProxy, or none that can do what is needed. */
  async features(): Promise<Features> {
    try {
      const { stdout } = await run(this.#needs.binary, ['-vv']);
      return { ...readFeatures(stdout), timesHandshakes: await this.#knows('timeout client-hs 5s') };
    } catch (cause) {
      if (cause instanceof SkeinError) throw cause;
      const { binary } = this.#needs;
      throw new SkeinError('unsupported', `${binary} cannot be run: install HAProxy 2.6 or newer`, { cause });
    }
  }

  /** `invalid`, with HAProxy's own words, when it would not start with this configuration. */
  async check(file: string): Promise<void> {
    try {
      await run(this.#needs.binary, ['-c', '-f', file], { maxBuffer: 4 * 1024 * 1024 });
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string };
      const said = stderr.split('\n').filter((line) => line.includes('[ALERT]'));
      throw new SkeinError('invalid', `HAProxy refuses its configuration: ${said.slice(0, 3).join(' ')}`, {
        cause: error,
      });
    }
  }

  /** The master that runs, if one does. */
  running(): ProcessIdentity | undefined {
    return readPidFile(this.#needs.pidFile);
  }

  connect(): Promise<AdminSocket> {
    return AdminSocket.open(this.#needs.adminSocket, helloMs);
  }

  /** Starts the master; resolves once its worker answers. `unavailable`: `PortTaken` where somebody has one of its ports. */
  async start(configuration: string): Promise<AdminSocket> {
    const { binary, pidFile, logFile } = this.#needs;
    const output = openSync(logFile, 'a', 0o600);
    const begunAt = fstatSync(output).size;
    const child = spawn(binary, ['-W', '-f', configuration], {
      detached: true,
      stdio: ['ignore', output, output],
      env: { PATH: process.env['PATH'], ...keptMemory },
    });
    closeSync(output);
    // A program that cannot be run is told by its missing pid below.
    child.once('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new SkeinError('internal', `${binary} cannot be started`);
    writePidFile(pidFile, child.pid);
    try {
      return await this.#answering(() => child.exitCode !== null || child.signalCode !== null);
    } catch (error) {
      child.kill('SIGKILL');
      removePidFile(pidFile);
      const said = readFileSync(logFile).subarray(begunAt).toString();
      throw said.includes('Address already in use') ? new PortTaken(error) : error;
    }
  }

  /**
   * Lets the master begin a new worker, which takes over the listeners; the old one finishes what it has. Resolves once
   * the new one answers.
   */
  async reload(before: AdminSocket): Promise<AdminSocket> {
    const old = workerPid(await before.ask('show info'));
    const master = this.running();
    if (master === undefined) throw new SkeinError('unavailable', 'HAProxy does not run');
    signalProcess(master, 'SIGUSR2');
    const end = this.#needs.clock.monotonic() + startMs;
    for (;;) {
      const admin = await this.connect().catch(() => undefined);
      const pid = admin && workerPid(await admin.ask('show info').catch(() => ''));
      if (admin !== undefined && pid !== undefined && pid !== old) return admin;
      admin?.close();
      if (this.#needs.clock.monotonic() > end) {
        throw new SkeinError('unavailable', `HAProxy did not reload: ${this.lastWords()}`);
      }
      await this.#pause();
    }
  }

  /** Closes the listeners; resolves when all that ran has ended and the processes are gone, or after `withinMs`. */
  async leave(withinMs: number): Promise<void> {
    const master = this.running();
    if (master === undefined) return;
    signalProcess(master, 'SIGUSR1');
    const end = this.#needs.clock.monotonic() + withinMs;
    while (isAlive(master) && this.#needs.clock.monotonic() < end) await this.#pause();
  }

  /** Ends master and workers, whatever they do. */
  async end(): Promise<void> {
    const master = this.running();
    if (master !== undefined) {
      signalProcess(master, 'SIGTERM');
      const end = this.#needs.clock.monotonic() + endMs;
      while (isAlive(master)) {
        if (this.#needs.clock.monotonic() > end) killWithWorkers(master);
        await this.#pause();
      }
    }
    removePidFile(this.#needs.pidFile);
  }

  /** Ends the worker that answers although its master is gone. */
  async endOrphan(): Promise<void> {
    const admin = await AdminSocket.open(this.#needs.adminSocket, 500).catch(() => undefined);
    if (admin === undefined) return;
    const pid = workerPid(await admin.ask('show info').catch(() => ''));
    admin.close();
    const orphan = pid === undefined ? undefined : identify(pid);
    if (orphan === undefined) return;
    signalProcess(orphan, 'SIGTERM');
    while (isAlive(orphan)) await this.#pause();
  }

  lastWords(): string {
    const lines = readFileSync(this.#needs.logFile, 'utf8').trimEnd().split('\n');
    const telling = lines.findLast((line) => line.includes('[ALERT]')) ?? lines.at(-1);
    return `${telling === undefined || telling === '' ? 'it said nothing' : telling} (log: ${this.#needs.logFile})`;
  }

  async #answering(hasEnded: () => boolean): Promise<AdminSocket> {
    const end = this.#needs.clock.monotonic() + startMs;
    for (;;) {
      try {
        return await this.connect();
      } catch (error) {
        if (hasEnded() || this.#needs.clock.monotonic() > end) {
          throw new SkeinError('unavailable', `HAProxy did not start: ${this.lastWords()}`, { cause: error });
        }
        await this.#pause();
      }
    }
  }

  async #knows(line: string): Promise<boolean> {
    const file = join(await mkdtemp(join(tmpdir(), 'skein-haproxy-')), 'trial.cfg');
    try {
      await writeFile(file, trialOf(line));
      await this.check(file);
      return true;
    } catch {
      return false;
    } finally {
      await rm(dirname(file), { recursive: true, force: true });
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#needs.clock.after(pollMs, resolve));
  }
}

/** A worker that is frozen would go on holding the ports when its master is gone. They are the group that the master leads. */
const killWithWorkers = ({ pid }: ProcessIdentity): void => {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const workerPid = (info: string): number | undefined => {
  const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
  return pid === undefined ? undefined : Number(pid);
};
