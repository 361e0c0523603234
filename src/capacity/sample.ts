import type { Observation } from '../dataplanes/data-plane.ts';
import type { FunctionKey } from '../domain/ids.ts';

/** What one limit goes by: counters of the functions that it bounds, which only grow. */
export type Counters = {
  /** Milliseconds; only differences matter. */
  readonly at: number;
  /** Of the data plane's process: counters begin there. */
  readonly since: number;
  /** Calls that run now under this limit. */
  readonly inFlight: number;
  readonly functions: { readonly [key: FunctionKey]: Counted };
};

export type Counted = {
  /** Runs that ended, and the sum of their times in milliseconds. */
  readonly ran: number;
  readonly ranMs: number;
  /** Calls that came while the limit was reached. */
  readonly crowded: number;
};

/** What happened between two looks. */
export type Sample = {
  readonly ms: number;
  readonly ran: number;
  /** The mean number of calls that ran: time spent in them over time passed (Little's law). */
  readonly meanInFlight: number;
  /** The limit was reached, and somebody wanted more. */
  readonly crowded: boolean;
  /** The mean run time of the function whose is longest. */
  readonly longestMs: number;
  readonly functions: ReadonlyMap<FunctionKey, Counted>;
};

/** Of the node's slots. Of functions that have a limit of their own only what they were refused counts. */
export const nodeCounters = (observation: Observation, own: ReadonlyMap<FunctionKey, unknown>): Counters => {
  const { at, since, inFlight } = observation;
  const functions: Record<FunctionKey, Counted> = {};
  for (const [key, { ran, ranMs, foundFull }] of entriesOf(observation)) {
    functions[key] = own.has(key) ? { ran: 0, ranMs: 0, crowded: foundFull } : { ran, ranMs, crowded: foundFull };
  }
  return { at, since, inFlight, functions };
};

/** Of one function's own limit. */
export const functionCounters = (observation: Observation, key: FunctionKey): Counters => {
  const { at, since } = observation;
  const { inFlight = 0, ran = 0, ranMs = 0, foundLimit: crowded = 0 } = observation.functions[key] ?? {};
  return { at, since, inFlight, functions: { [key]: { ran, ranMs, crowded } } };
};

const entriesOf = ({ functions }: Observation) =>
  Object.entries(functions) as [FunctionKey, Observation['functions'][FunctionKey]][];

export const between = (before: Counters, after: Counters): Sample => {
  const functions = new Map<FunctionKey, Counted>();
  const ms = after.at - before.at;
  let [ran, ranMs, crowded, longestMs] = [0, 0, false, 0];
  for (const [key, now] of Object.entries(after.functions) as [FunctionKey, Counted][]) {
    const change = less(now, before.functions[key]);
    if (change.ran > 0 || change.crowded > 0) functions.set(key, change);
    ran += change.ran;
    ranMs += change.ranMs;
    crowded ||= change.crowded > 0;
    if (change.ran > 0) longestMs = Math.max(longestMs, change.ranMs / change.ran);
  }
  return { ms, ran, meanInFlight: ms > 0 ? ranMs / ms : 0, crowded, longestMs, functions };
};

/** A function that left the plan and came back counts from zero again. */
const less = (now: Counted, before: Counted | undefined): Counted => {
  if (before === undefined || now.ran < before.ran || now.crowded < before.crowded) return now;
  return { ran: now.ran - before.ran, ranMs: now.ranMs - before.ranMs, crowded: now.crowded - before.crowded };
};
