import type { LaneStats } from './queue.ts';
import type { Entry } from './queue-index.ts';

type Counts = { waiting: number; running: number; dead: number; oldestAgeMs: number };

/** Sums per lane, in the order of their names. */
export const laneStats = (
  entries: Iterable<Pick<Entry, 'lane' | 'state' | 'addedAtMs'>>,
  dead: Iterable<{ readonly lane: string }>,
  nowMs: number,
): readonly LaneStats[] => {
  const lanes = new Map<string, Counts>();
  const of = (lane: string): Counts => {
    const counts = lanes.get(lane) ?? { waiting: 0, running: 0, dead: 0, oldestAgeMs: 0 };
    lanes.set(lane, counts);
    return counts;
  };
  for (const { lane, state, addedAtMs } of entries) {
    const counts = of(lane);
    if (state === 'taken') counts.running++;
    else counts.waiting++;
    counts.oldestAgeMs = Math.max(counts.oldestAgeMs, nowMs - addedAtMs);
  }
  for (const { lane } of dead) of(lane).dead++;
  return [...lanes].map(([lane, counts]) => ({ lane, ...counts })).sort((a, b) => (a.lane < b.lane ? -1 : 1));
};
