/** What a client must take of an answer while some of it waits for it. */
export type LeastIntake = {
  readonly bytes: number;
  readonly withinMs: number;
};

/** How far a client is with what it is sent. */
export type Intake = {
  /** Of a clock that never runs backwards. */
  readonly atMs: number;
  /** Bytes that it took, all in all. */
  readonly taken: number;
};

/**
 * The moment from which a client's intake is measured, as seen at `now`: undefined where nothing waits for it, so that a
 * stream with nothing to send lasts; moved on whenever the client took enough since `mark`.
 */
export const nextMark = (
  mark: Intake | undefined,
  now: Intake,
  waits: boolean,
  least: LeastIntake,
): Intake | undefined => {
  if (!waits) return undefined;
  return mark === undefined || now.taken - mark.taken >= least.bytes ? now : mark;
};

/** Whether a client that is measured since `mark` took too little for too long. */
export const tooSlow = (mark: Intake, now: Intake, least: LeastIntake): boolean =>
  now.atMs - mark.atMs >= least.withinMs;
