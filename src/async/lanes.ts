import type { FunctionKey } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import { concurrencyOf, nextLane, type LaneView, type NextLane } from './next-lane.ts';
import { functionOfLane, isCallbackLane } from './queued.ts';
import { lanePauseMs } from './retry.ts';

type Needs = {
  readonly clock: Pick<Clock, 'monotonic'>;
  labels(key: FunctionKey): Readonly<Record<string, string>> | undefined;
};
type Config = { readonly concurrency: number; readonly maxRunning: number };
type Lane = { running: number; refusals: number; pausedUntilMs: number; turn: number };

/** Lanes that we remember though nothing of theirs runs: their turn, and whether they were refused. */
const maxRemembered = 10_000;

/** What the worker knows of each lane. */
export class Lanes {
  readonly #needs: Needs;
  readonly #config: Config;
  readonly #lanes = new Map<string, Lane>();
  readonly #running = { calls: 0, callbacks: 0 };
  #turns = 0;

  constructor(needs: Needs, config: Config) {
    this.#needs = needs;
    this.#config = config;
  }

  /** Which of `open` takes next, or when to ask again: by one look at the clock, so that no pause ends between the two. */
  next(open: ReadonlySet<string>): NextLane {
    const views = [...open]
      .filter((lane) => this.#running[kind(lane)] < this.#config.maxRunning)
      .map((lane) => this.#view(lane));
    return nextLane(views, this.#needs.clock.monotonic());
  }

  began(lane: string): void {
    const known = this.#lanes.get(lane) ?? { running: 0, refusals: 0, pausedUntilMs: 0, turn: 0 };
    this.#forgetSome();
    this.#lanes.set(lane, known);
    known.running++;
    known.turn = ++this.#turns;
    this.#running[kind(lane)]++;
  }

  /** There was nothing to take. */
  released(lane: string): void {
    this.#running[kind(lane)]--;
    const known = this.#lanes.get(lane);
    if (known !== undefined) known.running--;
  }

  /** `refused`: by the platform or the queue, so that the next would be as well. */
  ended(lane: string, refused: boolean): void {
    this.released(lane);
    const known = this.#lanes.get(lane);
    if (known === undefined) return;
    known.refusals = refused ? known.refusals + 1 : 0;
    known.pausedUntilMs = this.#needs.clock.monotonic() + lanePauseMs(known.refusals);
  }

  #view(lane: string): LaneView {
    const { running = 0, pausedUntilMs = 0, turn = 0 } = this.#lanes.get(lane) ?? {};
    const labels = isCallbackLane(lane) ? undefined : this.#needs.labels(functionOfLane(lane));
    return { lane, running, limit: concurrencyOf(labels, this.#config.concurrency), pausedUntilMs, turn };
  }

  #forgetSome(): void {
    if (this.#lanes.size < maxRemembered) return;
    for (const [lane, { running }] of this.#lanes) if (running === 0) this.#lanes.delete(lane);
  }
}

const kind = (lane: string): 'calls' | 'callbacks' => (isCallbackLane(lane) ? 'callbacks' : 'calls');
