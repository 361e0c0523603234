import type { FunctionKey } from '../domain/ids.ts';
import type { LaneStats } from '../queues/queue.ts';
import { functionOfLane, isCallbackLane } from './queued.ts';

type Counts = Pick<LaneStats, 'waiting' | 'running' | 'dead' | 'oldestAgeMs'>;

/** What the queue holds of one function: its calls, and the callbacks with their answers. */
export type FunctionQueueStats = {
  readonly function: FunctionKey;
  readonly calls: Counts;
  readonly callbacks: Counts;
};

const none: Counts = { waiting: 0, running: 0, dead: 0, oldestAgeMs: 0 };

export const functionStats = (lanes: readonly LaneStats[]): readonly FunctionQueueStats[] => {
  const functions = new Map<FunctionKey, FunctionQueueStats>();
  for (const { lane, ...counts } of lanes) {
    const key = functionOfLane(lane);
    const known = functions.get(key) ?? { function: key, calls: none, callbacks: none };
    functions.set(key, { ...known, [isCallbackLane(lane) ? 'callbacks' : 'calls']: counts });
  }
  return [...functions.values()].sort((a, b) => (a.function < b.function ? -1 : 1));
};
