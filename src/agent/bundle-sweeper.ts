import type { BundleStore } from '../bundles/bundle-store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { asFunction, asImage } from '../catalogue/values.ts';
import type { Digest } from '../domain/ids.ts';
import type { FunctionProvider } from '../providers/provider.ts';

/** A bundle that nothing names is kept so long: it may have been sent for a deployment that is about to come. */
const graceMs = 60 * 60_000;

/** Finds bundles that nobody needs any more, so that years of deployments do not fill a disk. */
export class BundleSweeper {
  readonly #bundles: Pick<BundleStore, 'list' | 'remove'>;
  readonly #unnamedSince = new Map<Digest, number>();

  constructor(bundles: Pick<BundleStore, 'list' | 'remove'>) {
    this.#bundles = bundles;
  }

  /** Removes what has not been in `named` for an hour of looks; `now` in milliseconds. Returns what went. */
  async sweep(named: ReadonlySet<Digest>, now: number): Promise<readonly Digest[]> {
    const stored = (await this.#bundles.list()).map(({ digest }) => digest);
    const unnamed = stored.filter((digest) => !named.has(digest));
    const before = new Map(this.#unnamedSince);
    this.#unnamedSince.clear();
    const removed: Digest[] = [];
    for (const digest of unnamed) {
      const since = before.get(digest) ?? now;
      if (now - since < graceMs) {
        this.#unnamedSince.set(digest, since);
        continue;
      }
      await this.#bundles.remove(digest);
      removed.push(digest);
    }
    return removed;
  }
}

/** Those that a function or the name of an image stands for, and those that still run. */
export const namedBundles = async (
  catalogue: Pick<Catalogue, 'list'>,
  provider: Pick<FunctionProvider, 'list'>,
): Promise<ReadonlySet<Digest>> =>
  new Set([
    ...catalogue.list('function/').map((record) => asFunction(record).digest),
    ...catalogue.list('image/').map((record) => asImage(record).digest),
    ...(await provider.list()).map(({ spec }) => spec.digest),
  ]);
