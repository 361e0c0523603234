import { connect, type Socket } from 'node:net';
import { SkeinError } from '../../domain/errors.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { FunctionPlan, Plan } from '../../routing/plan.ts';
import type { Demand, Observation, PeerHint } from '../data-plane.ts';
import { readLines } from '../../std/read-lines.ts';
import type { Command, Report } from './protocol.ts';

export type Hello = Extract<Report, { kind: 'hello' }>;

/** A plan or metrics of thousands of functions take their time; what is not answered by then is asked again later. */
const longAnswerMs = 10_000;

/** The agent's end of the control socket, from one connection to its end. */
export class ControlLink {
  readonly hello: Hello;
  readonly #socket: Socket;
  readonly #pending = new Map<number, { resolve(report: Report): void; reject(error: Error): void }>();
  readonly #onDemand: (demand: Demand) => void;
  /** What this connection sent of each function, as text: only what differs is sent again. */
  readonly #sent = new Map<FunctionKey, string>();
  #sequence = 0;
  #silences = 0;
  /** Resolves when the connection ended. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, hello: Hello, onDemand: (demand: Demand) => void) {
    this.#socket = socket;
    this.hello = hello;
    this.#onDemand = onDemand;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        const gone = new SkeinError('unavailable', 'the data plane closed its control socket');
        for (const waiting of this.#pending.values()) waiting.reject(gone);
        this.#pending.clear();
        resolve();
      });
    });
  }

  /** `unavailable` when nothing listens at `path` or it does not say hello within `timeoutMs`. */
  static open(path: string, timeoutMs: number, onDemand: (demand: Demand) => void): Promise<ControlLink> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const fail = (cause?: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new SkeinError('unavailable', `no data plane answers at ${path}`, { cause }));
      };
      const timer = setTimeout(fail, timeoutMs);
      let link: ControlLink | undefined;
      socket.once('error', fail);
      socket.once('close', fail);
      readLines(socket, (line) => {
        const report = JSON.parse(line) as Report;
        if (link !== undefined) return link.#receive(report);
        if (report.kind !== 'hello') return;
        clearTimeout(timer);
        socket.off('error', fail);
        socket.off('close', fail);
        socket.on('error', () => socket.destroy());
        link = new ControlLink(socket, report, onDemand);
        resolve(link);
      });
    });
  }

  async apply(plan: Plan): Promise<void> {
    const whole = this.#sent.size === 0;
    const changed: Record<FunctionKey, FunctionPlan> = {};
    const removed: FunctionKey[] = [];
    for (const [key, function_] of Object.entries(plan.functions) as [FunctionKey, FunctionPlan][]) {
      const text = JSON.stringify(function_);
      if (this.#sent.get(key) === text) continue;
      this.#sent.set(key, text);
      changed[key] = function_;
    }
    for (const key of this.#sent.keys()) {
      if (plan.functions[key] !== undefined) continue;
      this.#sent.delete(key);
      removed.push(key);
    }
    const id = this.#nextId();
    try {
      await this.#ask({ kind: 'plan', id, plan: { ...plan, functions: changed }, removed, whole }, id);
    } catch (error) {
      // Nobody knows what of it is in force: the next one is sent whole.
      this.#sent.clear();
      throw error;
    }
  }

  /** Observations in a row that were not answered in time, with not a word between them. */
  get silences(): number {
    return this.#silences;
  }

  /** `unavailable` after `answerMs`. */
  async observe(answerMs: number): Promise<Observation> {
    const id = this.#nextId();
    const report = await this.#ask({ kind: 'observe', id }, id, answerMs, () => (this.#silences += 1));
    if (report.kind !== 'observation') throw new SkeinError('internal', 'the data plane answered another question');
    return report.observation;
  }

  async metrics(): Promise<readonly unknown[]> {
    const id = this.#nextId();
    const report = await this.#ask({ kind: 'metrics', id }, id);
    if (report.kind !== 'metrics') throw new SkeinError('internal', 'the data plane answered another question');
    return report.metrics;
  }

  hint(peers: readonly PeerHint[]): void {
    this.#send({ kind: 'hint', peers });
  }

  stop(drainMs: number): void {
    this.#send({ kind: 'stop', drainMs });
  }

  close(): void {
    this.#socket.destroy();
  }

  #nextId(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #send(command: Command): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(command)}\n`);
  }

  #ask(command: Command, id: number, answerMs = longAnswerMs, onSilence = (): unknown => undefined): Promise<Report> {
    if (!this.#socket.writable) {
      return Promise.reject(new SkeinError('unavailable', 'the data plane closed its control socket'));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        onSilence();
        reject(new SkeinError('unavailable', `the data plane did not answer in ${answerMs} ms`));
      }, answerMs);
      this.#pending.set(id, {
        resolve: (report) => {
          clearTimeout(timer);
          resolve(report);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#send(command);
    });
  }

  #receive(report: Report): void {
    this.#silences = 0;
    switch (report.kind) {
      case 'hello':
        return;
      case 'demand':
        return this.#onDemand(report.demand);
      case 'done':
      case 'metrics':
      case 'observation': {
        const waiting = this.#pending.get(report.id);
        this.#pending.delete(report.id);
        waiting?.resolve(report);
        return;
      }
      case 'failed': {
        const waiting = this.#pending.get(report.id);
        this.#pending.delete(report.id);
        waiting?.reject(new SkeinError('internal', `the data plane could not do as told: ${report.message}`));
      }
    }
  }
}
