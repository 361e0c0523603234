import type { NodeId } from '../domain/ids.ts';
import type { Routes } from '../routing/plan.ts';
import type { Clock } from '../std/clock.ts';
import type { Random } from '../std/random.ts';
import type { Strategy, StrategyEvent, View } from '../strategies/strategy.ts';

export type StrategyHostNeeds = {
  readonly strategy: Strategy;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly onRoutes: (routes: Routes) => void;
  readonly send: (to: NodeId | 'all', payload: unknown) => void;
};

/** Runs a strategy: hands it events, does what it wants. */
export class StrategyHost {
  readonly #needs: StrategyHostNeeds;
  readonly #wakes = new Map<string, () => void>();
  #state: unknown;
  #started = false;

  constructor(needs: StrategyHostNeeds) {
    this.#needs = needs;
  }

  view(view: View): void {
    if (!this.#started) {
      this.#state = this.#needs.strategy.start(view, { periodMs: this.#needs.periodMs });
      this.#started = true;
    }
    this.#step({ kind: 'viewed', view });
    this.#step({ kind: 'tick' });
  }

  received(from: NodeId, message: unknown): void {
    this.#step({ kind: 'received', from, message });
  }

  stop(): void {
    for (const cancel of this.#wakes.values()) cancel();
    this.#wakes.clear();
    this.#started = false;
  }

  #step(event: StrategyEvent): void {
    if (!this.#started) return;
    const { strategy, clock, random, onRoutes, send } = this.#needs;
    const { state, effects } = strategy.step(this.#state, event, { now: clock.now(), random });
    this.#state = state;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'route':
          onRoutes(effect.routes);
          break;
        case 'send':
          send(effect.to, effect.message);
          break;
        case 'wake': {
          const { name, at } = effect;
          this.#wakes.get(name)?.();
          const cancel = clock.after(Math.max(0, at - clock.now()), () => {
            this.#wakes.delete(name);
            this.#step({ kind: 'woken', name });
          });
          this.#wakes.set(name, cancel);
        }
      }
    }
  }
}
