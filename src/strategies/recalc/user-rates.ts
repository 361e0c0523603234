import type { FunctionKey } from '../../domain/ids.ts';
import { forEach, own } from '../routes.ts';
import type { View } from '../strategy.ts';

/** Requests per second of this node's users, by function. */
export type UserRates = { readonly [key: FunctionKey]: number };

/** How long a sample counts, milliseconds: a second's sample alone is too noisy to promise capacity by. */
const longestMemoryMs = 2000;

/** So near to the sample, requests per second, the mean is the sample: otherwise it would creep, and plans change, for ever. */
const arrived = 0.01;

/** The rates of a first view. */
export const firstRates = (view: View): UserRates => forEach(view.functions, (_, seen) => seen.userRate);

/** The mean with weights that fade with age, taken on by a sample `elapsedMs` later; functions that went are forgotten. */
export const takeSample = (before: UserRates, view: View, elapsedMs: number, periodMs: number): UserRates => {
  const memoryMs = Math.min(longestMemoryMs, periodMs / 4);
  const fresh = 1 - Math.exp(-Math.max(0, elapsedMs) / memoryMs);
  return forEach(view.functions, (key, { userRate }) => {
    const mean = own(before, key) ?? userRate;
    const next = mean + (userRate - mean) * fresh;
    return Math.abs(userRate - next) < arrived ? userRate : next;
  });
};
