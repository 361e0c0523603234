import { ftruncateSync, openSync, writeSync } from 'node:fs';
import { identify } from '../../../std/process-identity.ts';

/** Past this the file is written anew with those that run. */
const fullBytes = 64 * 1024;

/**
 * The processes that run now, written down as `PID START-TIME` a line, so that they can be ended by whoever finds this
 * watchdog killed. Each leads a process group of its own.
 */
export class Children {
  readonly #fd: number;
  readonly #running = new Map<number, string>();
  #bytes = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'a', 0o600);
  }

  get count(): number {
    return this.#running.size;
  }

  began(pid: number): void {
    // One that ended already needs no mention.
    const startTime = process.platform === 'linux' ? identify(pid)?.startTime : undefined;
    const line = startTime === undefined ? '' : `${pid} ${startTime}\n`;
    this.#running.set(pid, line);
    this.#write(line);
  }

  /** Ends what it left in its group. */
  ended(pid: number): void {
    this.#running.delete(pid);
    signalGroup(pid, 'SIGKILL');
    if (this.#bytes < fullBytes) return;
    ftruncateSync(this.#fd, 0);
    this.#bytes = 0;
    this.#write([...this.#running.values()].join(''));
  }

  endAll(): void {
    for (const pid of this.#running.keys()) signalGroup(pid, 'SIGKILL');
  }

  #write(text: string): void {
    if (text === '') return;
    try {
      this.#bytes += writeSync(this.#fd, text);
    } catch {
      // A full disk must not keep a function from answering.
    }
  }
}

export const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended in this moment.
  }
};
