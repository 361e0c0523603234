/**
 * A durable queue of work that is done at least once. Items wait in lanes (one per function), first in first out within a
 * lane; whoever takes decides which lane is next and how many run at once. Methods refuse with `SkeinError`s: `too-large`
 * (one item is longer than the queue allows), `full`, `unavailable` (the disk or the server does not answer), `invalid`.
 */
export interface Queue {
  /** All nodes of the federation use this one; else each has its own. */
  readonly shared: boolean;
  /** As they hold: what was configured, or less where the server allows less. */
  readonly limits: QueueLimits;
  /** Resolves when the item is on the disk: from then on it is done, buried or cancelled, whatever crashes. */
  add(item: QueueItem): Promise<void>;
  /** The next item of the lane, leased; undefined when none is due. */
  take(lane: string): Promise<Taken | undefined>;
  ready(): Promise<Ready>;
  /** Calls `wake` when there may be something to take; too often rather than too seldom. Returns what ends it. */
  onReady(wake: () => void): () => void;
  /** Removes what waits under that call id. Resolves when it is durable. */
  cancel(callId: string): Promise<Cancelled>;
  /** Lanes that hold something. */
  stats(): Promise<readonly LaneStats[]>;
  readonly dead: DeadLetters;
  /** Finishes what was asked and lets go; what is taken is redelivered, here or elsewhere. Safe to repeat. */
  close(): Promise<void>;
}

export type QueueItem = {
  /** At most 256 characters. */
  readonly lane: string;
  /** By which it is cancelled, at most 128 characters; several items may share one. */
  readonly callId: string;
  /** For the taker alone; counts towards the item's size. */
  readonly meta: string;
  readonly body: Uint8Array;
};

/**
 * An item on loan. When the lease runs out, or its process dies, another may take it: then `retryLater` and `bury` come too
 * late and change nothing of the other's, while `done` still ends the item. `followUp` is added in the same step, even to a queue
 * that is full by its own count.
 */
export interface Taken {
  readonly item: QueueItem;
  /** How often it was taken, this time included: 1 for the first. */
  readonly attempt: number;
  /** Since it was added or replayed, milliseconds. */
  readonly ageMs: number;
  /** Prolongs the lease by its full length, from now on. */
  extend(): Promise<void>;
  done(followUp?: QueueItem): Promise<void>;
  retryLater(delayMs: number): Promise<void>;
  /** Makes it a dead letter. `why` is a sentence for the operator, cut at 500 characters. */
  bury(why: string, followUp?: QueueItem): Promise<void>;
}

export type Ready = {
  /** Lanes that may have something due. */
  readonly lanes: readonly string[];
  /** When to ask again though nobody woke us; undefined when nothing waits. */
  readonly nextInMs: number | undefined;
};

export type Cancelled = {
  readonly cancelled: number;
  /** Those under the call id that are taken: they go on. */
  readonly running: number;
};

export type LaneStats = {
  readonly lane: string;
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
  /** Age of the oldest that waits or runs, milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number;
};

/** What was given up, kept for the operator. When they outgrow their limits the oldest are dropped. */
export interface DeadLetters {
  /** Oldest first, at most `limit` (1 to 1000), those behind `after` only, which may be gone meanwhile. */
  list(limit: number, after?: string): Promise<readonly DeadLetter[]>;
  /** Lets it wait again with no attempts made. `not-found`, `unavailable`. */
  replay(id: string): Promise<void>;
  /** `not-found`. */
  drop(id: string): Promise<void>;
}

export type DeadLetter = {
  readonly id: string;
  readonly lane: string;
  readonly callId: string;
  readonly why: string;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly addedAtMs: number;
  readonly buriedAtMs: number;
  /** Of meta and body. */
  readonly bytes: number;
};

export type QueueLimits = {
  /** Items that wait or run, and dead letters, each. */
  readonly items: number;
  /** Their size, each. */
  readonly bytes: number;
  /** Items of one lane that wait or run, so that one function cannot fill the queue of all. */
  readonly laneItems: number;
  /** Their size. Queues that cannot tell it hold lanes to `laneItems` alone. */
  readonly laneBytes: number;
  /** Of one item: meta and body. */
  readonly itemBytes: number;
  /** How long a taker may keep an item without a sign of life, milliseconds. */
  readonly leaseMs: number;
};

export const defaultLimits: QueueLimits = {
  items: 100_000,
  bytes: 1024 ** 3,
  laneItems: 25_000,
  laneBytes: 256 * 1024 ** 2,
  itemBytes: 8 * 1024 ** 2,
  leaseMs: 30_000,
};

export const maxLane = 256;
export const maxCallId = 128;
export const maxWhy = 500;
/** The longest pause before another try, milliseconds. */
export const maxDelayMs = 86_400_000;
