/**
 * How long a queue of one function lets requests wait. A queue that empties now and then absorbs bursts, so those in
 * it may wait long; a queue that never empties only adds its length to everyone's time, so it is kept short and what
 * is over is refused at once. (After CoDel, Nichols and Jacobson 2012, and the controlled delay of "Fail at Scale",
 * Maurer 2015; the interval here follows the service time, because functions take from 1 ms to minutes.)
 */
export type Patience = {
  /** Since when the queue has not been empty; undefined while it is. */
  standingSince: number | undefined;
  /** Since when it has been empty after overload; undefined otherwise. */
  calmSince: number | undefined;
  overloaded: boolean;
};

export const calm = (): Patience => ({ standingSince: undefined, calmSince: undefined, overloaded: false });

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

const leastIntervalMs = 100;

/** Brings the state up to `now`; call it whenever the queue's length changes or something is to be decided. */
export const observeQueue = (patience: Patience, facts: QueueFacts, now: number): void => {
  if (facts.length === 0 || facts.warming) {
    patience.standingSince = undefined;
    patience.calmSince ??= now;
    if (now - patience.calmSince >= intervalMs(facts)) patience.overloaded = false;
    return;
  }
  patience.calmSince = undefined;
  patience.standingSince ??= now;
  if (now - patience.standingSince >= intervalMs(facts)) patience.overloaded = true;
};

/** Whether one more may wait. In overload as many may as start within half a service time: enough to leave no slot idle. */
export const mayWait = (patience: Patience, facts: QueueFacts): boolean => {
  if (facts.queueMs <= 0 || facts.length >= maxQueued) return false;
  return !patience.overloaded || facts.length < Math.max(1, Math.ceil(facts.width / 2));
};

const intervalMs = ({ serviceMs, queueMs }: QueueFacts): number =>
  Math.min(Math.max(leastIntervalMs, 2 * serviceMs), Math.max(leastIntervalMs, queueMs));
