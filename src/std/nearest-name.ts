/**
 * The known name that `name` was probably meant to be: the one with the fewest typing slips (a letter too many, too
 * few, another, or two exchanged), or undefined when none is within `maxSlips`, by default a third of the letters.
 */
export const nearestName = (
  name: string,
  known: readonly string[],
  maxSlips: number = Math.max(1, Math.floor(name.length / 3)),
): string | undefined => {
  let nearest: string | undefined;
  let fewest = maxSlips + 1;
  for (const candidate of known) {
    const slips = typingSlips(name.toLowerCase(), candidate.toLowerCase());
    if (slips < fewest) {
      fewest = slips;
      nearest = candidate;
    }
  }
  return nearest;
};

/** Optimal string alignment distance. */
const typingSlips = (from: string, to: string): number => {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = from[i - 1] === to[j - 1] ? 0 : 1;
      let slips = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + changed);
      const exchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (exchanged) slips = Math.min(slips, (beforeLast[j - 2] ?? 0) + 1);
      row.push(slips);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
};
