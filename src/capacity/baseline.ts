import type { FunctionKey } from '../domain/ids.ts';
import type { Counted, Sample } from './sample.ts';

/**
 * The run time of a function where nothing is in its way. It is believed when it was measured while few calls ran (`revise`,
 * `lower`); until then it is a guess from whatever was seen, which keeps a limit that nobody reaches as it is.
 */
export type Baseline = {
  readonly ms: number;
  /** Calls that it was measured by, at most `memory`; 0 = a guess. */
  readonly weight: number;
};

export type Baselines = ReadonlyMap<FunctionKey, Baseline>;

/** Calls that count as much as all that was measured before: about so many are forgotten at each measurement. */
const memory = 48;

/**
 * From so many calls on a mean is told from another. Run times vary about as much as their mean (an exponential or a wide
 * lognormal time does), so the mean of n differs from the true one by 1/√n; three times that is no chance.
 */
const leastTold = 8;
const differs = (count: number): number => (count < leastTold ? Infinity : 3 / Math.sqrt(count));

const meanOf = ({ ran, ranMs }: Counted): number => ranMs / ran;

const changed = (
  known: Baselines,
  sample: Sample,
  rule: (baseline: Baseline | undefined, mean: number, count: number) => Baseline,
): Baselines => {
  const next = new Map(known);
  for (const [key, counted] of sample.functions) {
    if (counted.ran > 0) next.set(key, rule(known.get(key), meanOf(counted), counted.ran));
  }
  return next;
};

/** Of a window under load: a guess follows what is seen, and what is certainly faster than was known is believed. */
export const glance = (known: Baselines, sample: Sample): Baselines =>
  changed(known, sample, (baseline, ms, count) => {
    if (baseline === undefined) return { ms, weight: 0 };
    if (ms < baseline.ms * (1 - differs(count))) return { ...baseline, ms };
    if (baseline.weight > 0) return baseline;
    return { ms: mix(baseline.ms, ms, count), weight: 0 };
  });

/** Measured while few calls ran: it counts, whether it is faster or slower than before. */
export const revise = (known: Baselines, sample: Sample): Baselines =>
  changed(known, sample, (baseline, ms, count) => {
    const weight = Math.min(memory, count + (baseline?.weight ?? 0));
    if (baseline === undefined || baseline.weight === 0) return { ms, weight };
    if (Math.abs(ms / baseline.ms - 1) > differs(count)) return { ms, weight };
    return { ms: mix(baseline.ms, ms, count), weight };
  });

/** Measured while still fewer calls ran: nothing is slower for that. */
export const lower = (known: Baselines, sample: Sample): Baselines =>
  changed(known, sample, (baseline, ms, count) =>
    baseline === undefined ? { ms, weight: Math.min(memory, count) } : { ...baseline, ms: Math.min(baseline.ms, ms) },
  );

const mix = (old: number, fresh: number, count: number): number => old + ((fresh - old) * count) / (count + memory);

/** Run time of all calls, as a multiple of their baselines; undefined when none is known. */
export const overallSlowness = ({ functions }: Sample, known: Baselines): number | undefined => {
  const { ranMs, workMs } = sum([...functions], known);
  return workMs > 0 ? ranMs / workMs : undefined;
};

/** Calls that would run at once if none were slowed, for what was done (Little's law). */
export const unhindered = ({ functions, ms }: Sample, known: Baselines): number =>
  ms > 0 ? sum([...functions], known).workMs / ms : 0;

/** One function's run time as a multiple of its baseline. */
export const slownessOf = (key: FunctionKey, { functions }: Sample, known: Baselines): number | undefined => {
  const [counted, baseline] = [functions.get(key), known.get(key)];
  if (counted === undefined || counted.ran === 0 || baseline === undefined) return undefined;
  return meanOf(counted) / baseline.ms;
};

/** A function with fewer calls than this is judged together with the others of that kind. */
const few = 8;
/** A smaller part of the work says nothing about the machine. */
const substantial = 0.1;

/**
 * How much slower than its baseline what runs is, where functions differ: as much as the least slowed of those that do a tenth
 * of the work. What all of them share (processors, memory) slows all of them; what slows one alone (a database that it asks) is
 * no reason to run less of the others. Undefined when nothing is known.
 */
export const sharedSlowness = ({ functions }: Sample, known: Baselines): number | undefined => {
  const groups: (readonly [FunctionKey, Counted])[][] = [[]];
  for (const entry of functions) {
    if (entry[1].ran >= few) groups.push([entry]);
    else groups[0]!.push(entry);
  }
  const sums = groups.map((group) => sum(group, known)).filter(({ workMs }) => workMs > 0);
  const total = sums.reduce((all, { workMs }) => all + workMs, 0);
  const telling = sums.filter(({ workMs }) => workMs >= substantial * total);
  return telling.length === 0 ? undefined : Math.min(...telling.map(({ ranMs, workMs }) => ranMs / workMs));
};

type Entries = readonly (readonly [FunctionKey, Counted])[];

const sum = (entries: Entries, known: Baselines): { readonly ranMs: number; readonly workMs: number } => {
  let [ranMs, workMs] = [0, 0];
  for (const [key, counted] of entries) {
    const baseline = known.get(key);
    if (baseline === undefined) continue;
    ranMs += counted.ranMs;
    workMs += counted.ran * baseline.ms;
  }
  return { ranMs, workMs };
};
