/**
 * How many replicas of a function a node should have. Pure: the present state and what is seen go in, the next state
 * and the wanted number come out. Up at once, because calls wait; down only to the highest need of the last
 * `idleMs`, because starting costs more than keeping.
 */
export type ScaleState = {
  /** Needs of the recent past, oldest first and falling: the first is the highest that still counts. */
  readonly peaks: readonly { readonly at: number; readonly needed: number }[];
  /** When the number last grew. */
  readonly roseAt: number;
};

export type ScaleFacts = {
  /** Milliseconds; only differences matter. */
  readonly now: number;
  /** Calls of the function that run or wait here. */
  readonly inFlight: number;
  /** Calls that one replica should have at once, greater than 0. */
  readonly perReplica: number;
  /**
   * A replica cannot have more than `perReplica`, so calls wait until there are enough. Otherwise more replicas only
   * spread what runs anyway: one is added at a time, so that starting them takes nothing from what is served.
   */
  readonly strict: boolean;
  readonly min: number;
  /** At least `min`. */
  readonly max: number;
  /** How long a need is remembered; 0 = for ever. */
  readonly idleMs: number;
};

/** A function that was just deployed: it is wanted `needed` times until its first calls tell more. */
export const freshScale = (needed: number, now: number): ScaleState => ({
  peaks: needed > 0 ? [{ at: now, needed }] : [],
  roseAt: now,
});

/** Between one added replica and the next, milliseconds, where none has to be there. */
export const stepMs = 2_000;

export const scaleReplicas = (
  state: ScaleState,
  present: number,
  { now, inFlight, perReplica, strict, min, max, idleMs }: ScaleFacts,
): { readonly state: ScaleState; readonly wanted: number } => {
  const needed = Math.ceil(inFlight / perReplica);
  const recent = state.peaks.filter((peak) => (idleMs === 0 || now - peak.at < idleMs) && peak.needed > needed);
  const peaks = needed > 0 ? [...recent, { at: now, needed }] : recent;
  const mayRise = present === 0 || now - state.roseAt >= stepMs ? 1 : 0;
  const reachable = strict ? max : Math.max(present + mayRise, min);
  const wanted = Math.min(max, reachable, Math.max(min, peaks[0]?.needed ?? 0));
  return { state: { peaks, roseAt: wanted > present ? now : state.roseAt }, wanted };
};
