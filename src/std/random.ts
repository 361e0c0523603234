/** The only source of chance where a run must be repeatable: numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: a small, fast generator with a period of 2³², enough for choices and tests. The same seed gives the same run. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
};
