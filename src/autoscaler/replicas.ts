import { emptyWindow, meanOf, observed, type LoadWindow } from './load-window.ts';

/**
 * How many replicas of a function a node should have. Pure: the present state and what is seen go in, the next state and the
 * wanted number come out.
 *
 * Load is judged by its mean over a stable window of a minute; one over a panic window of a tenth of that decides as soon as it
 * asks for more than is ready and is well above the other, and then nothing is taken away for a minute. Calls that cannot begin
 * before there is another replica are not averaged: they get it at once. Down it goes to the highest need of the last minute, and
 * to none only when there was no call for as long as `idleMs`.
 */
export type ScaleState = {
  readonly load: LoadWindow;
  /** Needs of the last minute, oldest first and falling: the first is the highest that still counts. */
  readonly peaks: readonly { readonly at: number; readonly needed: number }[];
  /** When the number last grew. */
  readonly roseAt: number;
  /** When a call was last there; `-Infinity`: there was none yet. */
  readonly activeAt: number;
  /** When the panic window last asked for more than was ready, suddenly; `-Infinity`: never. */
  readonly panickedAt: number;
};

export type ScaleFacts = {
  /** Milliseconds; only differences matter. */
  readonly now: number;
  /** Calls of the function that run or wait here. */
  readonly calls: number;
  /** It was called a moment ago, though nothing may run now. */
  readonly called: boolean;
  /** What is scaled by: calls at once, calls a second, millicores, calls in a queue. */
  readonly load: number;
  /** The part of `load` that one replica should carry, greater than 0. */
  readonly target: number;
  /** Calls that a replica can have at once, what is over waits; 0 = no bound. */
  readonly bound: number;
  /** Calls for each replica that is started while none is ready; 0 = one is enough to begin with. */
  readonly burst: number;
  /**
   * Calls need not wait for more replicas, which only spread what runs anyway: one is added at a time, so that starting them takes
   * nothing from what is served.
   */
  readonly gradual: boolean;
  /** Replicas that can take a call now. */
  readonly ready: number;
  readonly min: number;
  /** At least `min`. */
  readonly max: number;
  /** Whether none may be left, `min` or not, when nobody calls. */
  readonly zero: boolean;
  /** How long nobody has to call for that; 0 = it never happens. */
  readonly idleMs: number;
};

/** Windows, milliseconds. */
export const stableMs = 60_000;
export const panicMs = 6_000;
/** Between one added replica and the next where they are added gradually, milliseconds. */
export const stepMs = 2_000;

/**
 * Times the stable mean. Times what is ready would be no measure: one replica more than one is twice as many, however little the
 * load wavers, and what the stable window adds as it sees the beginning of a step hides the rest of it.
 */
const panicFrom = 2;
/** Less is not enough to take a replica away: loads that waver about a bound would have it come and go. */
const slack = 1.1;

/** A function that was just deployed, or found running: it is wanted `needed` times until its calls tell more. */
export const freshScale = (needed: number, now: number): ScaleState => ({
  load: emptyWindow(now),
  peaks: needed > 0 ? [{ at: now, needed }] : [],
  roseAt: now,
  activeAt: needed > 0 ? now : -Infinity,
  panickedAt: -Infinity,
});

export const scaleReplicas = (
  state: ScaleState,
  present: number,
  facts: ScaleFacts,
): { readonly state: ScaleState; readonly wanted: number } => {
  const { now, calls, called, gradual, min, max } = facts;
  const activeAt = calls > 0 || called ? now : state.activeAt;
  if (mayRest(facts, activeAt)) return { state: freshScale(0, now), wanted: 0 };
  const load = observed(state.load, now, facts.load, stableMs);
  const needed = (level: number): number => Math.min(max, Math.ceil(level / facts.target - 1e-9));
  const stable = meanOf(load, stableMs);
  const short = meanOf(load, panicMs);
  const sudden = needed(short);
  const isSudden = sudden > facts.ready && short >= panicFrom * stable;
  const panickedAt = isSudden ? now : state.panickedAt;
  const panics = now - panickedAt < stableMs;
  const need = Math.max(needed(stable), panics ? sudden : 0, urgentOf(facts));
  const peaks = remember(state.peaks, now, Math.max(need, Math.min(present, needed(stable * slack))));
  // The last one goes by the rule of idleness alone.
  const least = Math.max(min, present > 0 ? 1 : 0, panics ? present : 0);
  const mayRise = present === 0 || now - state.roseAt >= stepMs ? 1 : 0;
  const reachable = gradual ? Math.max(present + mayRise, min) : max;
  const wanted = Math.min(max, reachable, Math.max(least, peaks[0]?.needed ?? 0));
  return { state: { load, peaks, roseAt: wanted > present ? now : state.roseAt, activeAt, panickedAt }, wanted };
};

const mayRest = ({ now, zero, idleMs }: ScaleFacts, activeAt: number): boolean =>
  zero && (idleMs === 0 ? activeAt === -Infinity : now - activeAt >= idleMs);

/** Replicas without which calls that are there could not begin. */
const urgentOf = ({ calls, bound, burst, ready, max }: ScaleFacts): number => {
  if (calls === 0) return 0;
  const cold = ready === 0 && burst > 0 ? Math.ceil(calls / burst) : 1;
  return Math.min(max, Math.max(cold, bound > 0 ? Math.ceil(calls / bound) : 0));
};

const remember = (peaks: ScaleState['peaks'], now: number, needed: number): ScaleState['peaks'] => {
  const recent = peaks.filter((peak) => now - peak.at < stableMs && peak.needed > needed);
  return needed > 0 ? [...recent, { at: now, needed }] : recent;
};
