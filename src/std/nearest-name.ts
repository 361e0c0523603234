/**
 * The known names that `name` was probably meant to be, the likeliest first, `count` at most: those with the fewest typing slips
 * (a letter too many, too few, another, or two exchanged), none with more than `maxSlips`, by default a third of the letters.
 */
export const nearestNames = (
  name: string,
  known: readonly string[],
  count = 3,
  maxSlips: number = Math.max(1, Math.floor(name.length / 3)),
): readonly string[] =>
  known
    .map((candidate) => ({ candidate, slips: typingSlips(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ slips }) => slips <= maxSlips)
    .sort((a, b) => a.slips - b.slips)
    .slice(0, count)
    .map(({ candidate }) => candidate);

/** The likeliest of `nearestNames`. */
export const nearestName = (name: string, known: readonly string[], maxSlips?: number): string | undefined =>
  nearestNames(name, known, 1, maxSlips)[0];

/** `did you mean a, b or c?`, of one name or more. */
export const didYouMean = (names: readonly string[]): string =>
  `did you mean ${names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`}?`;

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
