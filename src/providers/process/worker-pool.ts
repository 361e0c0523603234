import { spawn, type ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { bareEnvironment } from './environment.ts';
import type { Folders, Slot } from './folders.ts';
import type { Room } from './room.ts';
import type { Runtime } from './runtime.ts';
import type { SecretMounts } from './secret-mounts.ts';
import { lastLines } from './replica-logs.ts';
import { RunningProcess, whenEnded } from './running-process.ts';
import { settledWithin } from './wait.ts';
import type { FromWorker, ToWorker } from './worker/messages.ts';

const bootTimeoutMs = 20_000;
/** Refilling keeps out of the way of the functions that were just started: forking costs more than they do. */
const refillDelayMs = 2_500;
const retryDelayMs = 1000;
const refillsAtOnce = 1;
const forksAtOnce = 4;

/** A worker that waits to become a function. */
export type Worker = {
  readonly slot: Slot;
  readonly child: ChildProcess;
  readonly process: RunningProcess;
  /** Where its secrets are to be put, once it is known which. */
  readonly secretsFolder: string;
  /** Where it finds them. */
  readonly secretsPath: string;
};

export type PoolNeeds = {
  readonly clock: Clock;
  readonly log: Log;
  readonly folders: Folders;
  readonly runtime: () => Promise<Runtime>;
  /** Undefined where there are no mount namespaces. */
  readonly mounts: () => Promise<SecretMounts | undefined>;
  readonly size: number;
};

type Waiter = { readonly resolve: (worker: Worker) => void; readonly reject: (error: unknown) => void };

/** Workers forked ahead of need. */
export class WorkerPool {
  readonly #needs: PoolNeeds;
  readonly #idle: Worker[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #forking = new Set<Promise<void>>();
  #cancelRefill: (() => void) | undefined;
  #stopped = false;

  constructor(needs: PoolNeeds) {
    this.#needs = needs;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** Begins to fill, in the background. */
  start(): void {
    this.#fill();
  }

  /** A warm worker, or the next one that is forked. `unavailable` when none could be. */
  async take(): Promise<Worker> {
    if (this.#stopped) throw stops();
    const worker = this.#idle.shift();
    if (worker !== undefined) {
      this.#refillLater(refillDelayMs);
      return worker;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Worker>();
    this.#waiting.push({ resolve, reject });
    this.#fill();
    return promise;
  }

  /** A worker beside the pool, with further flags of Node's permission model. */
  fork(flags: readonly string[]): Promise<Worker> {
    return this.#forked(flags);
  }

  /** Ends the workers that wait. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRefill?.();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(stops());
    await Promise.all(this.#forking);
    await Promise.all(this.#idle.splice(0).map((worker) => discard(this.#needs, worker)));
  }

  #fill(): void {
    if (this.#stopped || (this.#cancelRefill !== undefined && this.#waiting.length === 0)) return;
    const most = this.#waiting.length > 0 ? forksAtOnce : refillsAtOnce;
    while (
      this.#forking.size < most &&
      this.#forking.size + this.#idle.length < this.#needs.size + this.#waiting.length
    ) {
      const forked = this.#forkOne().finally(() => {
        this.#forking.delete(forked);
        this.#fill();
      });
      this.#forking.add(forked);
    }
  }

  async #forkOne(): Promise<void> {
    try {
      this.#offer(await this.#forked([]));
    } catch (error) {
      this.#needs.log.warn({ error: messageOf(error) }, 'a worker could not be forked');
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#refillLater(retryDelayMs);
      else waiter.reject(error);
    }
  }

  async #forked(flags: readonly string[]): Promise<Worker> {
    const [runtime, mounts] = await Promise.all([this.#needs.runtime(), this.#needs.mounts()]);
    const room = await mounts?.open();
    try {
      return await forkWorker(this.#needs, runtime, flags, mounts, room);
    } finally {
      room?.close();
    }
  }

  #offer(worker: Worker): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve(worker);
      return;
    }
    this.#idle.push(worker);
    void worker.process.exited.then((how) => this.#lost(worker, how));
  }

  /** An idle worker should not end; another takes its place. */
  async #lost(worker: Worker, how: string): Promise<void> {
    const at = this.#idle.indexOf(worker);
    if (at === -1) return;
    this.#idle.splice(at, 1);
    this.#needs.log.warn({ worker: worker.slot.id, how }, 'an idle worker ended');
    await this.#needs.folders.clear(worker.slot.id);
    this.#refillLater(retryDelayMs);
  }

  #refillLater(ms: number): void {
    this.#cancelRefill?.();
    this.#cancelRefill = this.#needs.clock.after(ms, () => {
      this.#cancelRefill = undefined;
      this.#fill();
    });
  }
}

const stops = (): SkeinError => new SkeinError('unavailable', 'the provider stops');

const forkWorker = async (
  needs: PoolNeeds,
  runtime: Runtime,
  flags: readonly string[],
  mounts: SecretMounts | undefined,
  room: Room | undefined,
): Promise<Worker> => {
  const slot = await needs.folders.makeSlot();
  const log = await open(slot.log, 'a', 0o600);
  const program = {
    command: process.execPath,
    args: [
      '--permission',
      `--allow-fs-read=${slot.folder}/`,
      `--allow-fs-read=${runtime.folder}/`,
      ...(mounts === undefined ? [] : [`--allow-fs-read=${mounts.path}/`]),
      `--allow-fs-write=${slot.tmp}/`,
      ...flags,
      runtime.worker,
      slot.socket,
    ],
    folder: slot.bundle,
  };
  const { command, args } = room?.enter(program) ?? program;
  const child = spawn(command, args, {
    cwd: slot.bundle,
    env: bareEnvironment(slot),
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    detached: true,
  });
  const booted = nextMessage(child);
  await log.close();
  if (child.pid === undefined) {
    await needs.folders.clear(slot.id);
    throw new SkeinError(
      'unavailable',
      `no process could be started: ${messageOf(await booted.catch((e: unknown) => e))}`,
    );
  }
  const worker: Worker = {
    slot,
    child,
    process: RunningProcess.ofChild(child as ChildProcess & { readonly pid: number }),
    secretsFolder: mounts?.folderOf(child.pid) ?? slot.secrets,
    secretsPath: mounts?.path ?? slot.secrets,
  };
  if (await settledWithin(needs.clock, bootTimeoutMs, booted)) {
    const message = await booted.catch(() => undefined);
    if (message?.kind === 'booted') {
      // Neither the worker nor what it says may keep the agent from ending.
      child.unref();
      child.channel?.unref();
      return worker;
    }
  }
  const said = await lastLines(slot.log);
  await discard(needs, worker);
  throw new SkeinError('unavailable', `a worker did not start: ${said === '' ? 'it said nothing' : said}`);
};

/** Makes the worker a function and lets go of it. Rejects with what it said when it could not. */
export const specialise = async (clock: Clock, worker: Worker, message: ToWorker, timeoutMs: number): Promise<void> => {
  const answer = nextMessage(worker.child);
  worker.child.send(message, () => {});
  if (!(await settledWithin(clock, timeoutMs, answer))) {
    throw new SkeinError('unavailable', `it was not ready within ${timeoutMs} ms`);
  }
  const said = await answer;
  if (said.kind === 'failed') throw new SkeinError('unavailable', said.message);
  if (worker.child.connected) worker.child.disconnect();
};

/** The next message of ours; function code may send others while it loads. Rejects when the worker ends first. */
const nextMessage = (child: ChildProcess): Promise<FromWorker> => {
  const { promise, resolve, reject } = Promise.withResolvers<FromWorker>();
  const hear = (message: unknown): void => {
    if (isFromWorker(message)) resolve(message);
  };
  child.on('message', hear);
  child.once('error', reject);
  whenEnded(child, (code, signal) =>
    reject(new SkeinError('unavailable', `it ended before it was ready (${signal ?? `code ${code ?? 'unknown'}`})`)),
  );
  promise.catch(() => {}).finally(() => child.off('message', hear));
  return promise;
};

const isFromWorker = (message: unknown): message is FromWorker =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  (message.kind === 'booted' ||
    message.kind === 'ready' ||
    (message.kind === 'failed' && 'message' in message && typeof message.message === 'string'));

const discard = async (needs: PoolNeeds, worker: Worker): Promise<void> => {
  await worker.process.end(needs.clock);
  await needs.folders.clear(worker.slot.id);
};
