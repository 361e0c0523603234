import { isDeepStrictEqual } from 'node:util';
import type { FunctionSpec } from '../providers/provider.ts';

/**
 * Whether replicas of the one start as those of the other do: the same code in the same surroundings. Labels and annotations are not
 * read by a program, and the value of a secret is the business of whoever sets it.
 */
export const startsAlike = (one: FunctionSpec, other: FunctionSpec): boolean =>
  one.revision === other.revision || isDeepStrictEqual(surroundings(one), surroundings(other));

const surroundings = ({ digest, deployment }: FunctionSpec): object => {
  const { labels: _labels, annotations: _annotations, ...rest } = deployment;
  return { digest, ...rest };
};
