import type { FunctionObservation, Observation } from '../dataplanes/data-plane.ts';
import type { FunctionKey, NodeId } from '../domain/ids.ts';

/** Requests per second over the last second, from counters that only grow. */
export type FunctionRates = {
  readonly entered: number;
  readonly served: number;
  readonly rejected: number;
  readonly received: { readonly [peer: NodeId]: number };
};

const windowMs = 1_000;

/** Keeps the observations of about a second and tells the difference between the ends. */
export class Rates {
  #kept: readonly Observation[] = [];

  add(observation: Observation): void {
    // A data plane that started anew counts from zero: what came before cannot be compared.
    const last = this.#kept.at(-1);
    const comparable = last === undefined || last.since === observation.since ? this.#kept : [];
    const recent = comparable.filter(({ at }) => observation.at - at <= 2 * windowMs);
    const lastOutside = recent.findLastIndex(({ at }) => observation.at - at >= windowMs);
    this.#kept = [...recent.slice(Math.max(0, lastOutside)), observation];
  }

  get latest(): Observation | undefined {
    return this.#kept.at(-1);
  }

  of(key: FunctionKey): FunctionRates {
    const first = this.#kept[0];
    const last = this.#kept.at(-1);
    const now = last?.functions[key];
    if (first === undefined || last === undefined || now === undefined || last.at <= first.at) return none;
    const before = first.functions[key];
    // A function that left the plan and came back counts from zero again.
    const perSecond = (after: number, earlier: number): number =>
      ((after < earlier ? after : after - earlier) * 1000) / (last.at - first.at);
    const received = Object.fromEntries(
      Object.entries(now.received).map(([id, count]) => [id, perSecond(count, before?.received[id as NodeId] ?? 0)]),
    );
    return {
      entered: perSecond(now.entered, before?.entered ?? 0),
      served: perSecond(now.served, before?.served ?? 0),
      rejected: perSecond(rejections(now), before === undefined ? 0 : rejections(before)),
      received,
    };
  }
}

const none: FunctionRates = { entered: 0, served: 0, rejected: 0, received: {} };

export const rejections = ({ rejected }: FunctionObservation): number =>
  Object.values(rejected).reduce((sum, count) => sum + count, 0);
