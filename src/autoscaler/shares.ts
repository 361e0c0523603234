/** A node at which a function lives. */
export type Home = {
  readonly name: string;
  /** Replicas there now. */
  readonly replicas: number;
  /** Fewest and most that may be there; `least` is not above `most`. */
  readonly least: number;
  readonly most: number;
};

/**
 * How many of `total` replicas each node gets, in the order of `homes`. Pure: evenly, within what each node may have; what does
 * not divide goes to those that have more now, so that fewer come and go, then by name. Together they are `total`, or as near
 * to it as the nodes' bounds let them be. A greater total takes nothing from any node.
 */
export const sharesOf = (total: number, homes: readonly Home[]): readonly number[] => {
  const level = levelOf(total, homes);
  const shares = homes.map((home) => within(home, level));
  const first = [...homes.keys()]
    .filter((index) => within(homes[index]!, level + 1) > shares[index]!)
    .sort((a, b) => before(homes[a]!, homes[b]!));
  for (const index of first.slice(0, Math.max(0, total - sum(shares)))) shares[index]! += 1;
  return shares;
};

/** The most that every node can have, as far as its bounds go, without all together being more than `total`. */
const levelOf = (total: number, homes: readonly Home[]): number => {
  let [low, high] = [0, Math.max(0, ...homes.map(({ most }) => most))];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sum(homes.map((home) => within(home, middle))) <= total) low = middle;
    else high = middle - 1;
  }
  return low;
};

const within = ({ least, most }: Home, level: number): number => Math.min(most, Math.max(least, level));

const before = (a: Home, b: Home): number => b.replicas - a.replicas || (a.name < b.name ? -1 : 1);

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
