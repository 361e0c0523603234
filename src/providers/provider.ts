import type { Digest } from '../domain/ids.ts';
import type { FunctionDeployment, FunctionRef } from '../domain/function.ts';
import type { ReplicaPlan } from '../routing/plan.ts';

/**
 * What runs functions: processes of this machine, an attached OpenFaaS, a whole federation. The methods say what
 * should be; a provider works towards it and keeps it so (a replica that dies is replaced with growing pauses).
 *
 * Faults are `SkeinError`s with the codes named below. All methods may be called again after a fault.
 */
export interface FunctionProvider {
  /** `process`, `memory`, …: reported by `/system/info`. */
  readonly kind: string;
  /** What was deployed here and how it does. */
  list(): Promise<readonly ProvidedFunction[]>;
  /**
   * Makes a function known, with `replicas` of it started (0 is allowed: the first call starts it).
   * Resolves when that many are ready. `exists` when there is one of that name; `invalid` when it cannot be run at
   * all; `unavailable` when it did not become ready (it is then known, and tried again in the background).
   */
  deploy(spec: FunctionSpec, replicas: number): Promise<void>;
  /**
   * Replaces a function by a new revision: as many replicas of the new one become ready (or one, where there were
   * none and `spec` asks for none: 0) before those of the old one drain. `not-found`, `invalid`, `unavailable` (then
   * the old one goes on). The same revision again changes nothing.
   */
  update(spec: FunctionSpec): Promise<void>;
  /** Drains and stops every replica. `not-found`. */
  remove(ref: FunctionRef): Promise<void>;
  /**
   * Sets the wanted number of replicas, 0 or more, bounded by the provider's own maximum; resolves when it is
   * reached. Replicas that go are drained: no running call is cut. `not-found`, `unavailable`.
   */
  scale(ref: FunctionRef, replicas: number): Promise<void>;
  /** Replicas that can take a call at this moment, from memory. Empty when unknown or when none is ready. */
  resolve(ref: FunctionRef): readonly ReplicaPlan[];
  /**
   * True while replicas are wanted and none is ready, because starting them fails: the next try is further away than those who call
   * should wait, or they have waited for some tries. From memory. Absent: it is never known.
   */
  failing?(ref: FunctionRef): boolean;
  /** Called after the ready replicas of a function, or what `failing` says of it, changed. Returns what ends it. */
  onChange(listener: (ref: FunctionRef) => void): () => void;
  /**
   * What replicas of a function wrote, oldest first, those that ended recently included; nothing for a function that is not
   * known. Absent where nothing is kept. With `follow` it goes on until `signal` aborts or the iterator is returned.
   */
  logs?(ref: FunctionRef, options: LogOptions): AsyncIterable<ReplicaLine>;
  /** Processes of this machine that lead the ready replicas, for measuring what they use. Absent where there are none. */
  pids?(ref: FunctionRef): readonly number[];
}

export type LogOptions = {
  /** Only so many of the newest lines of what is there already; 0 or absent = all that are kept, or the newest 10 000. */
  readonly tail?: number;
  /** Only lines that are not older; milliseconds since the epoch. */
  readonly since?: number;
  readonly follow?: boolean;
  /** Only lines of this replica. */
  readonly instance?: string;
  readonly signal: AbortSignal;
};

/** A line that does not end before is told in pieces of about this size. */
export const longestLineBytes = 1024 * 1024;

export type ReplicaLine = {
  /** RFC 3339, in UTC. */
  readonly timestamp: string;
  /** The replica. */
  readonly instance: string;
  /** Without its line end. */
  readonly text: string;
};

/** A deployment as a provider gets it: placement and overrides applied, the image's digest pinned. */
export type FunctionSpec = {
  readonly ref: FunctionRef;
  /** Tells revisions of one function apart; equal revisions are equal in every other field. */
  readonly revision: string;
  readonly digest: Digest;
  readonly deployment: FunctionDeployment;
};

export type ProvidedFunction = {
  readonly spec: FunctionSpec;
  /** Wanted. */
  readonly replicas: number;
  /** Ready. */
  readonly available: number;
  /** The last reason why a replica failed, for people. */
  readonly problem?: string;
};
