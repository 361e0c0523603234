import { glance, lower, overallSlowness, revise, sharedSlowness, unhindered, type Baselines } from './baseline.ts';
import { calmBelow, nextLimit, type Bounds } from './next-limit.ts';
import { between, type Counters, type Sample } from './sample.ts';

/**
 * One limit on calls at once, and how it is found. Most of the time the gradient law moves it, a window of calls at a time. Now and
 * then, where the limit is in the way, a *probe* lets fewer calls run for a moment to see how long they take undisturbed: half
 * as many as would do the present work unhindered, and half of that again as long as it makes calls faster. (BBR's ProbeRTT,
 * Cardwell et al. 2016, serves the same end.) What a probe finds replaces what was known, so a function that came to cost more is
 * known by its new cost at the next one.
 */
export type Limiter = {
  /** With its fraction. */
  readonly limit: number;
  /** As others see it: it does not follow every fraction, and not the dips of probes. */
  readonly steady: number;
  /** Where the present window begins. */
  readonly from: Counters | undefined;
  readonly phase: Phase;
  /** When the last probe ended, and how long the next waits from there at least. */
  readonly probedAt: number;
  readonly restMs: number;
  /** Calls at once in the last probe: what is measured while no more run, or no more may, is as good as a probe. */
  readonly calmAt: number;
};

type Phase = { readonly kind: 'steady' } | Probe;

type Probe = {
  /** Calls that run already end (`emptying`), those that began among many a while longer (`settling`), then time is taken. */
  readonly kind: 'emptying' | 'settling' | 'measuring';
  /** How many may run. */
  readonly at: number;
  /** Of the present kind. */
  readonly since: number;
  readonly begunAt: number;
  /** Of the function that runs longest. */
  readonly runMs: number;
  /** The first measurement of it is weighed against what was known, later ones can only lower it. */
  readonly first: boolean;
  readonly surprised: boolean;
};

export type LimiterFacts = {
  readonly bounds: Bounds;
  /** How much slower everything is, of which this limit is not the cause: 1 or more. */
  readonly common: number;
};

export type LimiterStep = {
  readonly limiter: Limiter;
  readonly baselines: Baselines;
  /** A window that was long enough to judge by. */
  readonly judged?: { readonly sample: Sample; readonly slowness: number };
  /** A window passed in which too little happened. */
  readonly quiet?: true;
};

/** A window has so many ended calls, so long, and one and a half times the longest run time. */
const leastRuns = 24;
const leastMs = 500;
/** After so long without that many, or ten run times, a window begins anew. */
const staleMs = 30_000;

/** Calls that a probe measures: more where they come within a second, fewer, but at least `probeLeast`, when it takes too long. */
const probeRuns = 24;
const probeEnough = 100;
const probeLeast = 8;
const probeLeastMs = 250;
const probeOrdinaryMs = 1_000;
/** Where calls run longer than this a probe would cost too much. */
const probeLongestMs = 10_000;
/** Between probes: where calls are slowed, where a probe found something new, where all seems well, and after one that failed. */
const restMs = 30_000;
const surprisedRestMs = 5_000;
const calmRestMs = 60_000;
const failedRestMs = 300_000;
/** Probes take at most this part of the time; more of it while what they find is new. */
const probeShare = 0.05;
const surprisedShare = 0.2;
/** A change by less is none, nor is one by less than chance makes of so many calls. */
const surprise = 0.2;
const chance = (count: number): number => 2 / Math.sqrt(count);
const faster = 0.85;

export const freshLimiter = (limit: number): Limiter => ({
  limit,
  steady: Math.round(limit),
  from: undefined,
  phase: { kind: 'steady' },
  probedAt: -Infinity,
  restMs: 0,
  calmAt: 0,
});

/** How many calls may run now. */
export const inForce = ({ phase, steady }: Limiter): number => (phase.kind === 'steady' ? steady : phase.at);

export const stepLimiter = (
  limiter: Limiter,
  counters: Counters,
  baselines: Baselines,
  facts: LimiterFacts,
): LimiterStep => {
  const { from, phase } = limiter;
  const comparable = from !== undefined && from.since === counters.since && counters.at >= from.at;
  // A data plane that started anew, or a clock that was set back.
  if (!comparable) return { limiter: { ...limiter, from: counters, phase: { kind: 'steady' } }, baselines };
  const sample = between(from, counters);
  if (phase.kind === 'steady') return steadily(limiter, counters, sample, baselines, facts);
  return probing(limiter, phase, counters, sample, baselines, facts);
};

const steadily = (
  limiter: Limiter,
  counters: Counters,
  sample: Sample,
  known: Baselines,
  { bounds, common }: LimiterFacts,
): LimiterStep => {
  const isLong = sample.ms >= Math.max(leastMs, 1.5 * sample.longestMs);
  if (sample.ran < leastRuns || !isLong) {
    const isStale = sample.ms > Math.max(staleMs, 10 * sample.longestMs);
    return isStale
      ? { limiter: { ...limiter, from: counters }, baselines: known, quiet: true }
      : { limiter, baselines: known };
  }
  const lowest = Math.max(limiter.calmAt, bounds.min);
  const isCalm = limiter.steady <= lowest || (!sample.crowded && sample.meanInFlight <= lowest);
  const baselines = isCalm ? revise(glance(known, sample), sample) : glance(known, sample);
  const slowness = sharedSlowness(sample, baselines);
  if (slowness === undefined) return { limiter: { ...limiter, from: counters }, baselines };
  const judged = { sample, slowness };
  const probe = wantedProbe(limiter, counters.at, sample, baselines, slowness, bounds);
  if (probe !== undefined) return { limiter: { ...limiter, phase: probe, from: counters }, baselines, judged };
  const limit = nextLimit(limiter.limit, { slowness: slowness / common, crowded: sample.crowded }, bounds);
  return { limiter: { ...limiter, limit, steady: shown(limiter.steady, limit), from: counters }, baselines, judged };
};

/** Others are not told of every fraction: a limit that wavers about a half would change the plan all the time. */
const shown = (steady: number, limit: number): number => (Math.abs(limit - steady) < 0.75 ? steady : Math.round(limit));

const wantedProbe = (
  { steady, probedAt, restMs: rest }: Limiter,
  now: number,
  sample: Sample,
  baselines: Baselines,
  slowness: number,
  { min }: Bounds,
): Probe | undefined => {
  const at = Math.max(min, Math.floor(Math.min(steady, unhindered(sample, baselines)) / 2), 1);
  const dueAt = probedAt + (slowness > calmBelow ? rest : Math.max(rest, calmRestMs));
  if (!sample.crowded || now < dueAt || at >= steady || sample.longestMs > probeLongestMs) return undefined;
  const runMs = sample.longestMs;
  return { kind: 'emptying', at, since: now, begunAt: now, runMs, first: true, surprised: false };
};

const probing = (
  limiter: Limiter,
  probe: Probe,
  counters: Counters,
  sample: Sample,
  baselines: Baselines,
  { bounds }: LimiterFacts,
): LimiterStep => {
  const { kind, at, since, runMs } = probe;
  const passedMs = counters.at - since;
  const go = (phase: Phase): LimiterStep => ({ limiter: { ...limiter, phase, from: counters }, baselines });
  switch (kind) {
    case 'emptying':
      if (counters.inFlight <= at) return go({ ...probe, kind: 'settling', since: counters.at });
      // Something stays that is no ordinary call: an open connection, a stream.
      if (passedMs > 1_000 + 2 * runMs) return fruitless(limiter, counters, baselines, failedRestMs);
      return { limiter, baselines };
    case 'settling':
      return passedMs >= runMs / 2 ? go({ ...probe, kind: 'measuring', since: counters.at }) : { limiter, baselines };
    case 'measuring': {
      const wholeMs = sample.ran >= probeEnough ? probeLeastMs : probeOrdinaryMs;
      const isWhole = sample.ran >= Math.max(probeRuns, 2 * at) && passedMs >= Math.max(wholeMs, sample.longestMs);
      const isLate = passedMs > Math.max(5_000, 10 * runMs);
      if (!isWhole && !isLate) return { limiter, baselines };
      if (!isWhole && sample.ran < probeLeast) return fruitless(limiter, counters, baselines, restMs);
      return measured(limiter, probe, counters, sample, baselines, bounds);
    }
  }
};

/** Ends a probe that found nothing. */
const fruitless = (limiter: Limiter, counters: Counters, baselines: Baselines, rest: number): LimiterStep => ({
  limiter: { ...limiter, phase: { kind: 'steady' }, from: counters, probedAt: counters.at, restMs: rest },
  baselines,
});

const measured = (
  limiter: Limiter,
  probe: Probe,
  counters: Counters,
  sample: Sample,
  known: Baselines,
  { min }: Bounds,
): LimiterStep => {
  const now = counters.at;
  const { at, begunAt, first } = probe;
  // What was known before the first probe is a guess: nothing follows from being as fast as that.
  const change = first && limiter.probedAt === -Infinity ? 0 : (overallSlowness(sample, known) ?? 1);
  const baselines = first ? revise(known, sample) : lower(known, sample);
  const surprised = probe.surprised || Math.abs(change - 1) > Math.max(surprise, chance(sample.ran));
  const deeper = Math.max(min, Math.floor(at / 2), 1);
  if (change < faster && deeper < at) {
    const runMs = sample.longestMs;
    const phase: Probe = { ...probe, kind: 'emptying', at: deeper, since: now, runMs, first: false, surprised };
    return { limiter: { ...limiter, phase, from: counters }, baselines };
  }
  const tookMs = now - begunAt;
  const rest = surprised ? Math.max(surprisedRestMs, tookMs / surprisedShare) : Math.max(restMs, tookMs / probeShare);
  return {
    limiter: { ...limiter, phase: { kind: 'steady' }, from: counters, probedAt: now, restMs: rest, calmAt: at },
    baselines,
  };
};
