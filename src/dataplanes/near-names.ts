import { splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import { didYouMean, nearestNames } from '../std/nearest-name.ts';
import { OwnBucket } from '../routing/bucket.ts';

/** Strangers may ask for names without end, and comparing is work: so often in a second, and not with more names. */
const perSecond = 100;
const maxCompared = 500;
const maxLength = 64;

/** Finds the functions that a caller may have meant. */
export class NearNames {
  readonly #budget = new OwnBucket();

  /**
   * A sentence that names up to three of those that are known. `now`: milliseconds, monotonic. Undefined where nothing is near,
   * or none was looked for.
   */
  hint(known: () => readonly FunctionKey[], key: FunctionKey, now: number): string | undefined {
    const { name, namespace } = splitFunctionKey(key);
    if (name.length > maxLength) return undefined;
    if (!this.#budget.take(perSecond, now)) return undefined;
    const names: string[] = [];
    for (const other of known()) {
      const one = splitFunctionKey(other);
      if (one.namespace === namespace && one.name.length <= maxLength) names.push(one.name);
      if (names.length === maxCompared) break;
    }
    const near = nearestNames(name, names);
    return near.length === 0 ? undefined : `D${didYouMean(near).slice(1)}`;
  }
}
