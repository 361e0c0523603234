import type { FunctionKey } from '../domain/ids.ts';
import type { Live, Report } from './live.ts';
import type { Plan } from './plan.ts';

/**
 * `X-Skein-Load`: how busy the sender is, on every answer and every request between peers. `3/8` is three of eight
 * slots in use; `3/8;2/4` adds that the function at hand has two of four invocations running. An answer leaves out the
 * invocation that it ends (`ending` 1): counted in, a full peer would look full to whoever just got its answer.
 */
export const formatLoad = (plan: Plan, live: Live, key: FunctionKey | undefined, ending = 0): string => {
  const node = `${live.running.count - ending}/${plan.slots}`;
  const limit = key === undefined ? 0 : (plan.functions[key]?.maxInFlight ?? 0);
  if (key === undefined || limit <= 0) return node;
  return `${node};${(live.functions.get(key)?.running.count ?? 0) - ending}/${limit}`;
};

const pattern = /^(\d{1,7})\/(\d{1,7})(?:;(\d{1,7})\/(\d{1,7}))?$/;

/** The report that `text` spells, or undefined when it spells none. */
export const parseLoad = (text: string | undefined): Report | undefined => {
  const match = text === undefined ? null : pattern.exec(text);
  if (match === null) return undefined;
  const [, inFlight, slots, functionInFlight, limit] = match;
  const node = { inFlight: Number(inFlight), slots: Number(slots) };
  if (functionInFlight === undefined || limit === undefined) return node;
  return { ...node, function: { inFlight: Number(functionInFlight), limit: Number(limit) } };
};
