/** What a load was over the last minute: its area under the curve, in parts of about a second. */
export type LoadWindow = {
  /** Since when it is known; milliseconds, as all times here. */
  readonly since: number;
  /** What it is now, and from when on. */
  readonly at: number;
  readonly value: number;
  /** Oldest first; nothing is kept of times without load. */
  readonly parts: readonly { readonly from: number; readonly to: number; readonly area: number }[];
};

const partMs = 1_000;
/** A mean over less than this would be a guess. */
const leastMs = 1_000;

export const emptyWindow = (now: number): LoadWindow => ({ since: now, at: now, value: 0, parts: [] });

/** The load is `value` from `now` on. What is older than `keepMs` is forgotten. */
export const observed = (window: LoadWindow, now: number, value: number, keepMs: number): LoadWindow => {
  const kept = window.parts.filter(({ to }) => to > now - keepMs);
  const area = window.value * (now - window.at);
  if (area <= 0) return { ...window, at: now, value, parts: kept };
  const last = kept.at(-1);
  const grows = last !== undefined && now - last.from <= partMs;
  const part = { from: grows ? last.from : window.at, to: now, area: (grows ? last.area : 0) + area };
  return { ...window, at: now, value, parts: [...(grows ? kept.slice(0, -1) : kept), part] };
};

/** The mean over the last `ms`, or over as much of it as is known. */
export const meanOf = ({ since, at, parts }: LoadWindow, ms: number): number => {
  const begin = at - ms;
  let sum = 0;
  for (const { from, to, area } of parts) {
    if (to > begin) sum += area * Math.min(1, (to - begin) / (to - from));
  }
  return sum / Math.min(ms, Math.max(leastMs, at - since));
};
