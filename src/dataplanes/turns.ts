import type { FunctionKey } from '../domain/ids.ts';

/**
 * What the calls that wait in one thread of a plane must know of those that wait in the others. Each thread has queues of its own; room
 * is everybody's, and would always go to the thread in which it came up.
 */
export interface Turns {
  /** A call has begun to wait, for room or for a replica, or waits no more. */
  joined(): void;
  left(): void;
  /**
   * Since when the first call of this thread's queue of the function is there, milliseconds; undefined where none is. `forSlot`: all it
   * wants is a slot of the node, which calls of other functions may take.
   */
  tell(key: FunctionKey, since: number | undefined, forSlot: boolean): void;
  /** Whether no other thread has one that waits for the same and was there clearly before. Those who have are woken. */
  isFirst(key: FunctionKey, since: number): boolean;
  /** There is room again; those who wait in other threads are woken. */
  freed(): void;
}

/** Where one thread is all there is. */
export const alone: Turns = {
  joined: () => undefined,
  left: () => undefined,
  tell: () => undefined,
  isFirst: () => true,
  freed: () => undefined,
};
