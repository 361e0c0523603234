import { SkeinError } from '../../domain/errors.ts';
import { functionKey } from '../../domain/ids.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import type { FunctionSpec, ProvidedFunction } from '../provider.ts';
import type { Fleet } from './fleet.ts';
import type { Replica } from './replica.ts';

export type RevisionsNeeds = {
  /** A fleet for a revision of the function; nothing of it runs yet. */
  readonly makeFleet: (spec: FunctionSpec) => Fleet;
  /** As `makeFleet`, if the revision can be run here. */
  readonly checkedFleet: (spec: FunctionSpec) => Promise<Fleet>;
  /** Drains and ends a fleet that is no function's any more, `delayMs` after it is asked. */
  readonly leave: (fleet: Fleet, delayMs: number) => Promise<void>;
  /** How long a revision that gives way still takes calls, milliseconds, at least. */
  readonly drainDelayMs: number;
  /** Other replicas serve now. */
  readonly onChange: () => void;
};

/** One deployed function: the revision that is wanted and those that come before and after it while an update is under way. */
export class Revisions {
  readonly #needs: RevisionsNeeds;
  #current: Fleet;
  /** What an update brings. */
  #next: Fleet | undefined;
  /** Found running beside `#current`: it serves until there is enough of that. */
  #earlier: Fleet | undefined;
  /** Replicas of an earlier run are still being found. */
  #adopting = false;
  #removed = false;

  constructor(needs: RevisionsNeeds, first: Fleet) {
    this.#needs = needs;
    this.#current = first;
  }

  get wanted(): number {
    return this.#current.wanted;
  }

  /** No revision serves, and starts fail. */
  get failing(): boolean {
    return this.#current.failing && (this.#earlier?.plans().length ?? 0) === 0;
  }

  status(): ProvidedFunction {
    const status = this.#current.status();
    return { ...status, available: status.available + (this.#earlier?.plans().length ?? 0) };
  }

  plans(): readonly ReplicaPlan[] {
    return this.#earlier === undefined ? this.#current.plans() : [...this.#current.plans(), ...this.#earlier.plans()];
  }

  /** Of all revisions, also of one that does not serve yet. */
  fleets(): readonly Fleet[] {
    return [this.#current, this.#next, this.#earlier].filter((one) => one !== undefined);
  }

  /** What serves, or may serve at any moment. */
  replicas(): readonly Replica[] {
    return [this.#current, this.#earlier].flatMap((fleet) => fleet?.replicas() ?? []);
  }

  /** Resolves when the new revision serves with as many replicas; the old one serves until then, and goes on when the new one does not start. */
  async update(spec: FunctionSpec): Promise<void> {
    const old = this.#current;
    if (old.spec.revision === spec.revision) return;
    if (this.#earlier?.spec.revision === spec.revision) {
      await this.#goBack(old, this.#earlier);
      return;
    }
    const next = await this.#needs.checkedFleet(spec);
    this.#next = next;
    try {
      await next.scale(old.wanted);
    } catch (error) {
      void this.#needs.leave(next, 0);
      throw error;
    } finally {
      this.#next = undefined;
    }
    if (this.#removed) {
      void this.#needs.leave(next, 0);
      throw new SkeinError('not-found', `function ${this.#key} was removed while it was updated`);
    }
    this.#current = next;
    this.#needs.onChange();
    void this.#needs.leave(old, this.#needs.drainDelayMs);
    this.#endEarlier();
  }

  /** Resolves when that many are ready, or another number is wanted. */
  async scale(replicas: number): Promise<void> {
    const fleet = this.#current;
    // The update that brings it tells its caller how it does.
    this.#next?.scale(replicas).catch(() => {});
    try {
      await fleet.scale(replicas);
      this.settle();
    } catch (error) {
      if (this.#removed) throw new SkeinError('not-found', `function ${this.#key} was removed while it was scaled`);
      if (this.#current === fleet) throw error;
      // An update ended meanwhile: the new revision has to get there.
      await this.#current.scale(this.#current.wanted);
    }
  }

  /** Resolves when all that runs of it has ended. An update that is under way ends what it brings. */
  async remove(): Promise<void> {
    this.#removed = true;
    const fleets = [this.#current, this.#earlier].filter((one) => one !== undefined);
    await Promise.all(fleets.map((fleet) => this.#needs.leave(fleet, this.#needs.drainDelayMs)));
  }

  /** Takes in a replica of an earlier run. Of two revisions that both run, the one recorded later is to go on. */
  adopt(replica: Replica): void {
    this.#adopting = true;
    const { revision } = replica.spec;
    const same = [this.#current, this.#earlier].find((fleet) => fleet?.spec.revision === revision);
    if (same !== undefined) {
      same.adopt(replica);
      return;
    }
    this.#endEarlier();
    this.#earlier = this.#current;
    this.#current = this.#needs.makeFleet(replica.spec);
    this.#current.adopt(replica);
  }

  /** All of an earlier run were found: goes on with the update that it was in the middle of, if it was. */
  adopted(): void {
    this.#adopting = false;
    // A start that fails is tried again by the fleet; meanwhile the earlier revision serves.
    if (this.#earlier !== undefined) {
      this.#current.scale(Math.max(this.#current.wanted, this.#earlier.wanted)).catch(() => {});
    }
    this.settle();
  }

  /** Lets the earlier revision go once there is enough of the wanted one. */
  settle(): void {
    if (!this.#adopting && this.#current.plans().length >= this.#current.wanted) this.#endEarlier();
  }

  get #key(): string {
    const { name, namespace } = this.#current.spec.ref;
    return functionKey(name, namespace);
  }

  /** What was found as the earlier revision is the wanted one after all. */
  async #goBack(current: Fleet, earlier: Fleet): Promise<void> {
    this.#current = earlier;
    this.#earlier = current;
    this.#needs.onChange();
    await earlier.scale(Math.max(current.wanted, earlier.wanted));
    this.settle();
  }

  #endEarlier(): void {
    const earlier = this.#earlier;
    if (earlier === undefined) return;
    this.#earlier = undefined;
    void this.#needs.leave(earlier, this.#needs.drainDelayMs);
  }
}
