import { Readable } from 'node:stream';
import type { BundleStore } from '../bundles/bundle-store.ts';
import { messageOf, SkeinError } from '../domain/errors.ts';
import type { Digest } from '../domain/ids.ts';

export type BundleSource = { readonly name: string; fetch(path: string): Promise<Response> };

/** Gets a bundle from the first peer that has it. What arrives is checked against the digest. `unavailable` when nobody has it. */
export const fetchBundle = async (
  digest: Digest,
  bundles: BundleStore,
  sources: readonly BundleSource[],
): Promise<void> => {
  if (await bundles.has(digest)) return;
  const problems: string[] = [];
  for (const source of sources) {
    try {
      const response = await source.fetch(`/system/bundles/${digest}`);
      if (response.ok && response.body !== null) {
        await bundles.put(Readable.fromWeb(response.body), digest);
        return;
      }
      await response.body?.cancel();
      problems.push(`${source.name}: ${response.status}`);
    } catch (error) {
      problems.push(`${source.name}: ${messageOf(error)}`);
    }
  }
  const asked = problems.length === 0 ? 'there is no peer to ask' : problems.join('; ');
  throw new SkeinError('unavailable', `the bundle ${digest} is nowhere to be had (${asked})`);
};
