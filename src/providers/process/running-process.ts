import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../std/clock.ts';
import { identify, isAlive, type ProcessIdentity } from '../../std/process-identity.ts';
import { settledWithin } from './wait.ts';

/** How often a process that is not our child is looked at. */
const lookEveryMs = 200;

/** A replica's process: our child, or one that an earlier agent started. It leads a process group of its own. */
export class RunningProcess {
  readonly identity: ProcessIdentity;
  /** Resolves, never rejects, with how it ended: `exited with code 1`, `was ended by SIGKILL`, `is gone`. */
  readonly exited: Promise<string>;
  #gone = false;
  #signalled = false;

  private constructor(identity: ProcessIdentity, exited: Promise<string>) {
    this.identity = identity;
    this.exited = exited.then((how) => {
      this.#gone = true;
      // Children that outlived the leader go with it.
      kill(-identity.pid, 'SIGKILL');
      return how;
    });
  }

  /** `child` was spawned `detached` and has a pid. */
  static ofChild(child: ChildProcess & { readonly pid: number }): RunningProcess {
    const { promise, resolve } = Promise.withResolvers<string>();
    whenEnded(child, (code, signal) =>
      resolve(signal === null ? `exited with code ${code ?? 'unknown'}` : `was ended by ${signal}`),
    );
    const running = new RunningProcess(identify(child.pid) ?? { pid: child.pid, startTime: 'gone' }, promise);
    running.#hold = () => child.ref();
    return running;
  }

  static adopt(identity: ProcessIdentity, clock: Clock): RunningProcess {
    const { promise, resolve } = Promise.withResolvers<string>();
    const end = clock.every(lookEveryMs, () => {
      if (isAlive(identity)) return;
      end();
      resolve('is gone');
    });
    const running = new RunningProcess(identity, promise);
    running.#stopLooking = end;
    return running;
  }

  #stopLooking: () => void = () => {};
  /** Makes this process wait for it. */
  #hold: () => void = () => {};

  get gone(): boolean {
    return this.#gone;
  }

  /** Whether it was told to end from here while it lived; otherwise its end is its own, or somebody else's. */
  get signalled(): boolean {
    return this.#signalled;
  }

  signalLeader(signal: NodeJS.Signals): void {
    this.#signal(this.identity.pid, signal);
  }

  signalGroup(signal: NodeJS.Signals): void {
    this.#signal(-this.identity.pid, signal);
  }

  /** Ends the whole group: now, or when `graceMs` after a `SIGTERM` have passed. */
  async end(clock: Clock, graceMs = 0): Promise<void> {
    this.#hold();
    if (graceMs > 0) {
      this.signalGroup('SIGTERM');
      if (await settledWithin(clock, graceMs, this.exited)) return;
    }
    this.signalGroup('SIGKILL');
    await this.exited;
  }

  /** Stops looking at an adopted process; `exited` may then stay pending. */
  release(): void {
    this.#stopLooking();
  }

  /** A pid is used again sooner or later: never signal a stranger. */
  #signal(pid: number, signal: NodeJS.Signals): void {
    if (this.#gone || !isAlive(this.identity)) return;
    this.#signalled = true;
    kill(pid, signal);
  }
}

/** Calls `told` when the child has ended, or at once where it has: its event comes once, and may have come before anybody listened. */
export const whenEnded = (
  child: ChildProcess,
  told: (code: number | null, signal: NodeJS.Signals | null) => void,
): void => {
  const { exitCode, signalCode } = child;
  if (exitCode !== null || signalCode !== null) told(exitCode, signalCode);
  else child.once('exit', told);
};

const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in this moment.
  }
};
