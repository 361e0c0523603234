import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionObservation, Observation } from './data-plane.ts';
import type { PlaneState } from './plane-state.ts';

/** What the agent is told. `since`: when the counters began; `queued`: calls that wait for room. */
export const observationOf = (
  { needs, live, counts, plan }: PlaneState,
  since: number,
  queued: number,
): Observation => {
  const functions: Record<FunctionKey, FunctionObservation> = {};
  for (const [key, counted] of counts.entries()) {
    const there = live.functions.get(key);
    functions[key] = {
      ...counted,
      inFlight: there?.running.count ?? 0,
      queued: there?.waiting.count ?? 0,
      serviceMs: there?.serviceMs ?? 0,
    };
  }
  const peers = Object.fromEntries(
    [...live.peers].map(([id, { rttMs, inFlight, slots, outstanding }]) => [
      id,
      { rttMs, inFlight, slots, outstanding: outstanding.count },
    ]),
  );
  const planVersion = plan?.version ?? 0;
  return { at: needs.clock.now(), since, planVersion, inFlight: live.running.count, queued, functions, peers };
};
