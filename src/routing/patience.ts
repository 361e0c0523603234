/**
 * How long a queue of one function lets requests wait. A queue that empties now and then, or shrinks, absorbs bursts,
 * so those in it may wait long; a queue that stands or grows only adds its length to everyone's time, so it is kept
 * short and what is over is refused at once. (After CoDel, Nichols and Jacobson 2012, and the controlled delay of "Fail at Scale",
 * Maurer 2015; the interval here follows the service time, because functions take from 1 ms to minutes.)
 */
export type Patience = {
  /**
   * Since when more wait than start within half a service time, or when that number was last seen to shrink; undefined
   * while they are fewer: a short queue costs nobody much, however long it stands.
   */
  standingSince: number | undefined;
  /** Its length then. */
  standingLength: number;
  /** Since when it has been empty after overload; undefined otherwise. */
  calmSince: number | undefined;
  overloaded: boolean;
};

export const calm = (): Patience => ({
  standingSince: undefined,
  standingLength: 0,
  calmSince: undefined,
  overloaded: false,
});

export type QueueFacts = {
  /** Requests waiting. */
  readonly length: number;
  /** Mean run time, milliseconds. */
  readonly serviceMs: number;
  /** Invocations of the function that may run at once, here and at the peers that may be asked. */
  readonly width: number;
  readonly queueMs: number;
  /** Replicas are being started, here or there: what waits for them says nothing about load. */
  readonly warming: boolean;
};

/** Most requests of one function that wait at one node, whatever the time. */
export const maxQueued = 10_000;

const leastIntervalMs = 200;
const horizonMs = 3_000;

/** Brings the state up to `now`; call it whenever the queue's length changes or something is to be decided. */
export const observeQueue = (patience: Patience, facts: QueueFacts, now: number): void => {
  if (facts.length === 0 || facts.warming) {
    patience.calmSince ??= now;
    if (now - patience.calmSince >= intervalMs(facts)) patience.overloaded = false;
  } else patience.calmSince = undefined;
  if (facts.warming || facts.length <= facts.width / 2) {
    patience.standingSince = undefined;
    return;
  }
  if (patience.standingSince !== undefined && now - patience.standingSince < intervalMs(facts)) return;
  if (patience.standingSince !== undefined && !emptiesSoon(patience, facts, now)) patience.overloaded = true;
  patience.standingSince = now;
  patience.standingLength = facts.length;
};

/** A queue that shrinks by one now and then will be there tomorrow: only one that is empty in a few seconds at its pace is a burst. */
const emptiesSoon = ({ standingSince = 0, standingLength }: Patience, facts: QueueFacts, now: number): boolean => {
  const perMs = (standingLength - facts.length) / Math.max(1, now - standingSince);
  return perMs * Math.max(horizonMs, facts.queueMs) >= facts.length;
};

/** Whether one more may wait. In overload as many may as start within a quarter of a service time: enough to leave no slot idle. */
export const mayWait = (patience: Patience, facts: QueueFacts): boolean => {
  if (facts.queueMs <= 0 || facts.length >= maxQueued) return false;
  return !patience.overloaded || facts.length < Math.max(1, Math.ceil(facts.width / 4));
};

const intervalMs = ({ serviceMs, queueMs }: QueueFacts): number =>
  Math.min(Math.max(leastIntervalMs, 2 * serviceMs), Math.max(leastIntervalMs, queueMs));
