import type { FunctionSpec } from '../providers/provider.ts';
import { canonicalJson } from '../std/canonical-json.ts';
import { sha256Hex } from '../std/sha256.ts';

/**
 * Whether replicas of the one start as those of the other do: the same code in the same surroundings. Labels and annotations are not
 * read by a program, and the value of a secret is the business of whoever sets it.
 */
export const startsAlike = (one: FunctionSpec, other: FunctionSpec): boolean =>
  one.revision === other.revision || startMark(one) === startMark(other);

/** Equal for those that start alike, and for no others. */
export const startMark = ({ digest, deployment }: FunctionSpec): string => {
  const { labels: _labels, annotations: _annotations, ...surroundings } = deployment;
  return sha256Hex(canonicalJson({ digest, ...surroundings }));
};
