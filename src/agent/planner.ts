import type { DataPlane } from '../dataplanes/data-plane.ts';
import { messageOf } from '../domain/errors.ts';
import type { Plan } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { InForce } from './reach.ts';

export type PlannerNeeds = {
  readonly dataPlane: Pick<DataPlane, 'apply'>;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Pick<Log, 'warn'>;
  /** The plan that should hold now. */
  compose(version: number): Plan;
  /** Told of each plan that the data plane took. */
  onTaken(): void;
};

/** How long a replica that leaves waits for the data plane to take the plan without it. */
const withdrawMs = 15_000;

/** Many changes come together: one plan is made of them, and the next only when that one is in force. */
export class Planner {
  readonly #needs: PlannerNeeds;
  #version = 0;
  /** The plan that the data plane confirmed last. */
  #inForce: InForce;
  #wanted = false;
  #begun = false;
  #stopped = false;
  /** The data plane did not take a plan: it is told again when it answers. */
  #untaken = false;
  /** Those who wait for a plan that is made from now on, by the least version of it. */
  readonly #awaiting = new Set<{ readonly version: number; readonly resolve: () => void }>();
  #planning: Promise<void> | undefined;

  constructor(needs: PlannerNeeds) {
    this.#needs = needs;
  }

  get version(): number {
    return this.#version;
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  /** Goes on from what the data plane carries out already. */
  adopt(version: number, plan: InForce): void {
    this.#version = version;
    this.#inForce = plan;
  }

  /** Makes plans from now on: what is only half read yet would make a worse one than the one in force. */
  begin(): Promise<void> {
    this.#begun = true;
    this.want();
    return this.settled();
  }

  /** Something changed. */
  want(): void {
    this.#wanted = true;
    if (!this.#begun) return;
    this.#planning ??= this.#planAll();
  }

  /** The data plane answers: where it did not take a plan it gets another. */
  answered(): void {
    if (this.#untaken) this.want();
  }

  /** Resolves when what was wanted was tried. */
  async settled(): Promise<void> {
    await this.#planning;
  }

  /** Resolves when a plan that is made from now on is in force, or after a while when the data plane takes none. */
  async renewed(): Promise<void> {
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { version: this.#version + 1, resolve };
    this.#awaiting.add(waiting);
    this.want();
    const cancel = this.#needs.clock.after(withdrawMs, resolve);
    await promise;
    cancel();
    this.#awaiting.delete(waiting);
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#stopped = true;
    for (const { resolve } of this.#awaiting) resolve();
  }

  async #planAll(): Promise<void> {
    await Promise.resolve();
    try {
      while (this.#wanted) await this.#planOnce();
    } finally {
      // At once, not when somebody hears of the end: what is wanted in between would be nobody's.
      this.#planning = undefined;
    }
  }

  async #planOnce(): Promise<void> {
    this.#wanted = false;
    this.#version += 1;
    const plan = this.#needs.compose(this.#version);
    try {
      await this.#needs.dataPlane.apply(plan);
      this.#untaken = false;
      this.#inForce = plan;
      this.#needs.onTaken();
      for (const { version, resolve } of this.#awaiting) if (version <= plan.version) resolve();
    } catch (error) {
      this.#untaken = true;
      this.#needs.log.warn(
        { problem: messageOf(error) },
        'the data plane did not take the plan; it gets another when it answers',
      );
    }
  }
}
