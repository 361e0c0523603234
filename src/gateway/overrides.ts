import { parseConstraints } from '../catalogue/placement.ts';
import { keys } from '../catalogue/record.ts';
import { asOverride } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { functionName } from '../domain/function.ts';
import type { FunctionRef } from '../domain/function.ts';
import { knownFunction } from './find-function.ts';
import { checkLabels } from './labels.ts';
import { checkQuantities } from './quantities.ts';
import { checkVariables } from './variables.ts';
import type { CatalogueAccess, Override, OverridesService } from './needs.ts';

/** Each is looked through whenever a function is put together for a node. */
const maxPerFunction = 256;

/** How functions differ from node to node, as records of the catalogue. */
export const createOverridesService = (catalogue: CatalogueAccess): OverridesService => {
  const list = (ref: FunctionRef): readonly Override[] => {
    knownFunction(catalogue, ref);
    const prefix = prefixOf(ref);
    return catalogue
      .list(prefix)
      .map((record) => ({ ...(asOverride(record) as Omit<Override, 'id'>), id: record.key.slice(prefix.length) }));
  };

  return {
    list,

    get: (ref, id) => list(ref).find((override) => override.id === id) ?? fail(noOverride(ref, id)),

    set: async (ref, { id, ...value }) => {
      if (!functionName.safeParse(id).success) throw badId(id);
      parseConstraints(value.selector);
      checkLabels(value.labels ?? {});
      checkVariables(value.envVars ?? {});
      checkQuantities('limits', value.limits);
      const there = list(ref);
      if (there.length >= maxPerFunction && there.every((override) => override.id !== id)) throw tooMany(ref);
      await catalogue.put(keyOf(ref, id), value);
    },

    remove: async (ref, id) => {
      knownFunction(catalogue, ref);
      const outcome = functionName.safeParse(id).success ? await catalogue.remove(keyOf(ref, id)) : { kind: 'absent' };
      if (outcome.kind === 'absent') throw noOverride(ref, id);
    },
  };
};

/** A function that is removed takes its overrides with it: one of the same name is a new function. */
export const removeOverrides = async (catalogue: CatalogueAccess, ref: FunctionRef): Promise<void> => {
  for (const { key } of catalogue.list(prefixOf(ref))) await catalogue.remove(key);
};

const keyOf = (ref: FunctionRef, id: string): string => keys.override(ref.namespace, ref.name, id);
const prefixOf = (ref: FunctionRef): string => keyOf(ref, '');

const fail = (error: Error): never => {
  throw error;
};

const noOverride = ({ name }: FunctionRef, id: string): SkeinError =>
  new SkeinError('not-found', `service ${name} has no override ${id.slice(0, 100)}`);

const badId = (id: string): SkeinError =>
  new SkeinError(
    'invalid',
    `${JSON.stringify(id.slice(0, 100))} cannot name an override: it must be a DNS label: lower-case letters, digits and hyphens, at most 63`,
  );

const tooMany = ({ name }: FunctionRef): SkeinError =>
  new SkeinError('too-large', `service ${name} has ${maxPerFunction} overrides, which is the most: remove one first`);
