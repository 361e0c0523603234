import { Readable } from 'node:stream';
import type { BundleStore } from '../bundles/bundle-store.ts';
import { messageOf, SkeinError } from '../domain/errors.ts';
import type { Digest } from '../domain/ids.ts';

export type BundleSource = { readonly name: string; fetch(path: string, signal: AbortSignal): Promise<Response> };

/** For one bundle from one peer, all of it: a peer that stalls must not keep the others from being asked. */
const transferMs = 5 * 60_000;
/** Until it begins to answer. */
const answerMs = 5_000;

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
      const response = await begun(source, digest);
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

/** The answer, once it has begun; what follows may take as long as a large bundle takes. */
const begun = async (source: BundleSource, digest: Digest): Promise<Response> => {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new Error(`no answer in ${answerMs} ms`)), answerMs);
  try {
    const signal = AbortSignal.any([silent.signal, AbortSignal.timeout(transferMs)]);
    return await source.fetch(`/system/bundles/${digest}`, signal);
  } finally {
    clearTimeout(timer);
  }
};
