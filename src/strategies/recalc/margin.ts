import type { FunctionKey } from '../../domain/ids.ts';
import { own } from '../routes.ts';
import type { FunctionView, View } from '../strategy.ts';
import { largestRate } from './message.ts';
import type { Limits } from './message.ts';
import type { UserRates } from './user-rates.ts';

/**
 * What this node can serve for others, requests per second of each function that lives here, beside its own users.
 *
 * With a label: `maxrate − user rate`. Without one the slots bound it: what labelled functions may use and what users
 * use is set aside, and the other functions share the free slots equally. One that never ran is taken to need
 * `assumedServiceMs`: if it offered nothing, nobody would ever send it the call that tells.
 */
export const marginsOf = (view: View, userRates: UserRates): Limits => {
  const here = Object.entries(view.functions).filter(([, seen]) => seen.here);
  const rateOf = (key: string): number => own(userRates, key as FunctionKey) ?? 0;
  const committed = here.map(([key, seen]) => (maxRateOf(seen) ?? rateOf(key)) * (seen.serviceMs / 1000));
  const free = Math.max(0, view.slots - sum(committed));
  const sharing = here.filter(([, seen]) => maxRateOf(seen) === undefined).length;
  return Object.fromEntries(
    here.map(([key, seen]) => {
      const maxRate = maxRateOf(seen);
      const margin = maxRate === undefined ? slotRate(free / sharing, seen.serviceMs) : maxRate - rateOf(key);
      return [key, Math.min(largestRate, Math.max(0, margin))];
    }),
  );
};

/** Milliseconds; modest, because a helper that promised too much refuses. */
const assumedServiceMs = 200;

/** The label's rate, or undefined when it says nothing that makes sense. */
export const maxRateOf = (seen: FunctionView): number | undefined =>
  seen.maxRate !== undefined && Number.isFinite(seen.maxRate) && seen.maxRate >= 0 ? seen.maxRate : undefined;

const slotRate = (slots: number, serviceMs: number): number =>
  (slots * 1000) / (serviceMs > 0 ? serviceMs : assumedServiceMs);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
