import type { Observation } from '../dataplanes/data-plane.ts';
import type { FunctionKey } from '../domain/ids.ts';
import { slownessOf, type Baselines } from './baseline.ts';
import { freshLimiter, inForce, stepLimiter, type Limiter, type LimiterStep } from './limiter.ts';
import { clamp, type Bounds } from './next-limit.ts';
import { functionCounters, nodeCounters } from './sample.ts';

/**
 * Measured capacity: how many calls a node, and a function that is held up by something of its own, should run at once. Pure: a
 * state and what the data plane counted go in, the next state comes out.
 *
 * The node's slots follow the slowness that all functions share, each against its own baseline, so that short and long functions
 * mix (`baseline.ts`), by a gradient law with probes (`limiter.ts`). A function gets a limit of its own only when there is
 * evidence that what it waits for is its own: in two windows running, with enough calls in each, it was half as slow again as the
 * others. Its limit begins with what it had in flight and follows the same law, measured against what the others suffer. It ends
 * when it was not in the way for a minute, or has come to as much as the node has.
 */
export type Capacity = {
  readonly node: Limiter;
  /** How slow what is shared makes everything; at least 1. */
  readonly slowness: number;
  readonly baselines: Baselines;
  readonly own: ReadonlyMap<FunctionKey, Own>;
  /** Windows in a row in which a function was slower than the others. */
  readonly suspects: ReadonlyMap<FunctionKey, number>;
  /** Functions that were turned away by the node's limit in its last window, and are slowed. */
  readonly pressed: ReadonlySet<FunctionKey>;
};

type Own = {
  readonly limiter: Limiter;
  /** When it was last in the way. */
  readonly crowdedAt: number;
  /** It was in the way in its last window. */
  readonly pressed: boolean;
};

/** Calls of one function in a window that tell what it suffers alone. */
const ownRuns = 32;
const ownSlowness = 1.5;
const ownWindows = 2;
/** A limit of a function's own ends after so long without being in the way. */
const ownIdleMs = 60_000;
/** A function that is slowed by this and turned away is short of processors, or of replicas. */
const pressedFrom = 1.2;

export const freshCapacity = (slots: number, bounds: Bounds): Capacity => ({
  node: freshLimiter(clamp(slots, bounds)),
  slowness: 1,
  baselines: new Map(),
  own: new Map(),
  suspects: new Map(),
  pressed: new Set(),
});

/** What holds now, and what others should be told: the dips of a probe last a moment. */
export type Limits = {
  readonly slots: number;
  readonly steadySlots: number;
  /** Of functions that have one. */
  readonly functions: ReadonlyMap<FunctionKey, number>;
};

export const limitsOf = ({ node, own }: Capacity): Limits => ({
  slots: inForce(node),
  steadySlots: node.steady,
  functions: new Map([...own].map(([key, { limiter }]) => [key, inForce(limiter)])),
});

/** Whether calls of the function are turned away, and those that run are slowed. */
export const isPressed = ({ pressed, own }: Capacity, key: FunctionKey): boolean =>
  pressed.has(key) || own.get(key)?.pressed === true;

/** To be called with every look at the data plane, a few times a second. */
export const observeCapacity = (before: Capacity, observation: Observation, bounds: Bounds): Capacity => {
  const present = forgotten(before, observation);
  const { baselines: known, own } = present;
  const step = stepLimiter(present.node, nodeCounters(observation, own), known, { bounds, common: 1 });
  const next = judged({ ...present, node: step.limiter, baselines: step.baselines }, step, observation.at);
  return own.size === 0 ? next : withOwn(next, observation, bounds);
};

/** What the data plane knows no more is forgotten: nothing here outgrows the plan. */
const forgotten = (capacity: Capacity, { functions }: Observation): Capacity => {
  const gone = [...capacity.baselines.keys()].filter((key) => functions[key] === undefined);
  if (gone.length === 0) return capacity;
  const kept = <Value>(all: ReadonlyMap<FunctionKey, Value>) => new Map([...all].filter(([key]) => key in functions));
  return {
    ...capacity,
    baselines: kept(capacity.baselines),
    own: kept(capacity.own),
    suspects: kept(capacity.suspects),
    pressed: new Set([...capacity.pressed].filter((key) => key in functions)),
  };
};

/** What a window of the node tells of its functions. */
const judged = (capacity: Capacity, step: LimiterStep, now: number): Capacity => {
  if (step.quiet) return { ...capacity, pressed: new Set() };
  if (step.judged === undefined) return capacity;
  const { sample, slowness } = step.judged;
  const { baselines } = capacity;
  const suspects = new Map<FunctionKey, number>();
  const pressed = new Set<FunctionKey>();
  const own = new Map(capacity.own);
  for (const [key, counted] of sample.functions) {
    const slow = slownessOf(key, sample, baselines) ?? 1;
    if (counted.crowded > 0 && slow > pressedFrom) pressed.add(key);
    if (counted.ran < ownRuns || slow <= ownSlowness * slowness || (baselines.get(key)?.weight ?? 0) === 0) continue;
    const windows = (capacity.suspects.get(key) ?? 0) + 1;
    if (windows < ownWindows) suspects.set(key, windows);
    else
      own.set(key, { limiter: freshLimiter(Math.max(1, counted.ranMs / sample.ms)), crowdedAt: now, pressed: false });
  }
  return { ...capacity, slowness: Math.max(1, slowness), suspects, pressed, own };
};

const withOwn = (capacity: Capacity, observation: Observation, bounds: Bounds): Capacity => {
  const own = new Map<FunctionKey, Own>();
  let { baselines } = capacity;
  // A limit of a function's own may be lower than the least that the node may have.
  const facts = { bounds: { min: 1, max: bounds.max }, common: capacity.slowness };
  for (const [key, { limiter: before, crowdedAt: last, pressed: wasPressed }] of capacity.own) {
    const counters = functionCounters(observation, key);
    const step = stepLimiter(before, counters, baselines, facts);
    ({ baselines } = step);
    const pressed = step.quiet ? false : (step.judged?.sample.crowded ?? wasPressed);
    const crowdedAt = step.judged?.sample.crowded === true ? observation.at : last;
    const isNeeded = observation.at - crowdedAt < ownIdleMs && step.limiter.limit < capacity.node.limit;
    if (isNeeded) own.set(key, { limiter: step.limiter, crowdedAt, pressed });
  }
  return { ...capacity, baselines, own };
};
