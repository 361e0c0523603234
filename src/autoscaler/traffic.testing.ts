import { freshScale, scaleReplicas, type ScaleFacts, type ScaleState } from './replicas.ts';

/** Calls at once at a time, milliseconds. */
export type Traffic = (atMs: number) => number;

export type Sample = { readonly at: number; readonly calls: number; readonly wanted: number; readonly ready: number };

export type Setup = Pick<ScaleFacts, 'target' | 'bound' | 'burst' | 'gradual' | 'min' | 'max' | 'zero' | 'idleMs'> & {
  /** How long a replica takes to be ready. */
  readonly startMs: number;
  /** Replicas at deployment. */
  readonly first: number;
};

export const usual: Setup = {
  target: 10,
  bound: 0,
  burst: 10,
  gradual: false,
  min: 0,
  max: 20,
  zero: true,
  idleMs: 120_000,
  startMs: 400,
  first: 0,
};

/** How often an agent looks. */
export const lookMs = 250;

/** Runs the rule against traffic in virtual time, with replicas that take their time to start. */
export const simulate = (traffic: Traffic, durationMs: number, setup: Setup = usual): readonly Sample[] => {
  let state: ScaleState = freshScale(setup.first, 0);
  let wanted = setup.first;
  /** When each wanted replica is ready. */
  let readyAt: readonly number[] = Array.from({ length: setup.first }, () => 0);
  const samples: Sample[] = [];
  for (let now = 0; now <= durationMs; now += lookMs) {
    const calls = Math.max(0, Math.round(traffic(now)));
    const ready = readyAt.filter((at) => at <= now).length;
    const next = scaleReplicas(state, wanted, { ...setup, now, calls, called: false, load: calls, ready });
    state = next.state;
    wanted = next.wanted;
    const added = Array.from({ length: Math.max(0, wanted - readyAt.length) }, () => now + setup.startMs);
    readyAt = [...readyAt, ...added].slice(0, wanted);
    samples.push({ at: now, calls, wanted, ready });
  }
  return samples;
};

/** How often the wanted number changed in [from, to). */
export const changesOf = (samples: readonly Sample[], from = 0, to = Infinity): number =>
  samples.filter(({ at, wanted }, index) => at >= from && at < to && wanted !== (samples[index - 1]?.wanted ?? wanted))
    .length;

export const step =
  (at: number, before: number, after: number): Traffic =>
  (now) =>
    now < at ? before : after;

export const ramp =
  (lengthMs: number, top: number): Traffic =>
  (now) =>
    Math.min(1, now / lengthMs) * top;

export const spike =
  (at: number, lengthMs: number, base: number, top: number): Traffic =>
  (now) =>
    now >= at && now < at + lengthMs ? top : base;

export const sawtooth =
  (periodMs: number, top: number): Traffic =>
  (now) =>
    ((now % periodMs) / periodMs) * top;
