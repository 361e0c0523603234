import { splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import { nearestName } from '../std/nearest-name.ts';
import { fullBucket, take, tokensAt } from '../routing/bucket.ts';
import type { Plan } from '../routing/plan.ts';

/** Strangers may ask for names without end, and comparing is work: so often in a second, and not with more names. */
const perSecond = 100;
const maxCompared = 500;
const maxLength = 64;

/** Finds the function that a caller probably meant. */
export class NearNames {
  readonly #budget = fullBucket(perSecond, 0);

  /** `now`: milliseconds, monotonic. Undefined where nothing is near, or none was looked for. */
  find(plan: Plan | undefined, key: FunctionKey, now: number): string | undefined {
    const { name, namespace } = splitFunctionKey(key);
    if (plan === undefined || name.length > maxLength) return undefined;
    if (tokensAt(this.#budget, perSecond, now) < 1) return undefined;
    take(this.#budget, perSecond, now);
    const names: string[] = [];
    for (const other of Object.keys(plan.functions) as FunctionKey[]) {
      const known = splitFunctionKey(other);
      if (known.namespace === namespace && known.name.length <= maxLength) names.push(known.name);
      if (names.length === maxCompared) break;
    }
    return nearestName(name, names);
  }
}
