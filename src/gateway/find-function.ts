import { keys } from '../catalogue/record.ts';
import type { FunctionValue } from '../catalogue/record.ts';
import { asFunction } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { functionName } from '../domain/function.ts';
import type { FunctionRef } from '../domain/function.ts';
import { didYouMean, nearestNames } from '../std/nearest-name.ts';
import type { CatalogueAccess } from './needs.ts';

/** Longer names are compared by their beginning. */
const maxSlipped = 64;

type Known = Pick<CatalogueAccess, 'get' | 'list'>;

/** The function as it is deployed, if it is. */
export const findFunction = (catalogue: Pick<Known, 'get'>, { namespace, name }: FunctionRef) => {
  if (!functionName.safeParse(name).success) return undefined;
  const record = catalogue.get(keys.function(namespace, name));
  return record && asFunction(record);
};

/** The function as it is deployed. `not-found` tells which names of the namespace may have been meant. */
export const knownFunction = (catalogue: Known, ref: FunctionRef): FunctionValue => {
  const found = findFunction(catalogue, ref);
  if (found !== undefined) return found;
  const names = catalogue.list(keys.function(ref.namespace, '')).map((one) => asFunction(one).deployment.service);
  throw functionNotFound(ref, nearestNames(ref.name.slice(0, maxSlipped), names));
};

/** As OpenFaaS says it, and which names may have been meant. */
export const functionNotFound = ({ name }: FunctionRef, near: readonly string[] = []): SkeinError => {
  const hint = near.length === 0 ? '' : `: ${didYouMean(near)}`;
  return new SkeinError('not-found', `service ${name.slice(0, 100)} not found${hint}`);
};
