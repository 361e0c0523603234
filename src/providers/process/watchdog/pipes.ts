import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Both ends of a pipe, as file descriptors that whoever takes them closes. */
export type Pipe = { readonly read: number; readonly write: number };

const madeAtOnce = 64;
const refillBelow = 24;

/**
 * Pipes that a process can share among its outputs, so that what it writes keeps its order, and can open again as
 * `/dev/stdout`. Node gives its children sockets, which can do neither; named pipes, made ahead and nameless once open, can.
 */
export class Pipes {
  readonly #folder: string;
  #ready: string[] = [];
  #made = 0;
  #refilling: Promise<void> | undefined;

  /** Throws when the folder cannot have named pipes. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    const names = this.#names();
    execFileSync('mkfifo', ['-m', '600', ...names], { stdio: 'pipe' });
    this.#ready.push(...names);
  }

  async take(): Promise<Pipe> {
    if (this.#ready.length < refillBelow) void this.#refill();
    let name = this.#ready.pop();
    while (name === undefined) {
      await this.#refill();
      name = this.#ready.pop();
    }
    return openPipe(name);
  }

  #refill(): Promise<void> {
    if (this.#refilling !== undefined) return this.#refilling;
    const names = this.#names();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    execFile('mkfifo', ['-m', '600', ...names], (error) => {
      this.#refilling = undefined;
      if (error !== null) return reject(error);
      this.#ready.push(...names);
      resolve();
    });
    // Those who wait hear of a failure; without any, the next one to take tries again.
    promise.catch(() => {});
    this.#refilling = promise;
    return promise;
  }

  #names(): readonly string[] {
    return Array.from({ length: madeAtOnce }, () => join(this.#folder, String(this.#made++)));
  }
}

/** The read end first: it does not wait for a writer, as the writer would for a reader. */
const openPipe = (name: string): Pipe => {
  const read = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { read, write: openSync(name, constants.O_WRONLY) };
  } catch (error) {
    closeSync(read);
    throw error;
  } finally {
    unlinkSync(name);
  }
};
