import { SkeinError } from '../domain/errors.ts';
import { allLocal } from './all-local/all-local.ts';
import { leastLoaded } from './least-loaded/least-loaded.ts';
import { recalc } from './recalc/recalc.ts';
import { fixedShares } from './static/static.ts';
import type { Strategy } from './strategy.ts';

/** Every strategy there is. A new one is a folder beside these and a line here. */
export const strategies: readonly Strategy[] = [leastLoaded, recalc, fixedShares, allLocal];

export const strategyNames: readonly string[] = strategies.map((strategy) => strategy.name);

/**
 * The strategy that `name` spells. DFaaS's own names mean the same (`recalcstrategy`, `alllocalstrategy`). `invalid`
 * names what there is.
 */
export const strategyNamed = (name: string): Strategy => {
  const wanted = plain(name);
  const found = strategies.find((strategy) => strategy.name === name || plain(strategy.name) === wanted);
  if (found !== undefined) return found;
  throw new SkeinError('invalid', `there is no strategy "${name}": choose one of ${strategyNames.join(', ')}`);
};

const plain = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll('-', '')
    .replace(/strategy$/, '');
