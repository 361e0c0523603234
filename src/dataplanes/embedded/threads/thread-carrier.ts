import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SkeinError } from '../../../domain/errors.ts';
import type { OnCall } from '../../../telemetry/call-record.ts';
import type { Demand, Observation, PeerHint } from '../../data-plane.ts';
import type { Ports } from '../../plane-server.ts';
import type { Carrier } from '../carrier.ts';
import type { PlanCommand } from '../protocol.ts';
import type { PlaceChanges } from './place-directory.ts';
import type { Answer, Order, ThreadLaunch, Word } from './thread-protocol.ts';

export type ThreadCarrierNeeds = ThreadLaunch & {
  readonly onDemand: (demand: Demand) => void;
  readonly onCall: OnCall | undefined;
  /** The thread is gone, with what it counted: nothing that is shared is right any more. */
  readonly onLost: (why: string) => void;
};

type Pending = { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void };

/** One in a thread of its own. */
export class ThreadCarrier implements Carrier {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Resolves when the thread can be told what to do. */
  static open({ onDemand, onCall, onLost, ...launch }: ThreadCarrierNeeds): Promise<ThreadCarrier> {
    const worker = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), { workerData: launch });
    const carrier = new ThreadCarrier(worker);
    worker.once('error', (error) => onLost(error instanceof Error ? (error.stack ?? error.message) : String(error)));
    worker.once('exit', (code) => onLost(`it ended with code ${code}`));
    return new Promise((resolve) => {
      worker.on('message', (word: Word) => {
        switch (word.kind) {
          case 'ready':
            return resolve(carrier);
          case 'demand':
            return onDemand(word.demand);
          case 'call':
            return onCall?.(word.record);
          case 'done':
            return carrier.#settle(word.id, ({ resolve: done }) => done(word.answer));
          case 'failed':
            return carrier.#settle(word.id, ({ reject }) => reject(new SkeinError('internal', word.message)));
        }
      });
    });
  }

  async apply(command: PlanCommand, places: PlaceChanges | undefined): Promise<void> {
    await this.#ask((id) => ({ kind: 'plan', id, command, places: places ?? { added: [], removed: [] } }));
  }

  hint(peers: readonly PeerHint[]): void {
    this.#send({ kind: 'hint', peers });
  }

  attend(attended: boolean): void {
    this.#send({ kind: 'attend', attended });
  }

  async observe(): Promise<Observation> {
    return (await this.#ask((id) => ({ kind: 'observe', id }))) as Observation;
  }

  async metrics(): Promise<readonly unknown[]> {
    return (await this.#ask((id) => ({ kind: 'metrics', id }))) as readonly unknown[];
  }

  async listen(together: Ports): Promise<Ports> {
    await this.#ask((id) => ({ kind: 'listen', id, ports: together }));
    return together;
  }

  async drain(drainMs: number): Promise<void> {
    await this.#ask((id) => ({ kind: 'drain', id, ms: drainMs }));
  }

  #send(order: Order): void {
    this.#worker.postMessage(order);
  }

  /** Whoever is lost ends the process, so every order is answered. */
  #ask(order: (id: number) => Order): Promise<Answer> {
    this.#sequence += 1;
    const id = this.#sequence;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send(order(id));
    });
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending !== undefined) how(pending);
  }
}
