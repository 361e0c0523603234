import { keys } from '../catalogue/record.ts';
import type { NamespaceValue } from '../catalogue/record.ts';
import { asFunction, asNamespace } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { functionName } from '../domain/function.ts';
import { defaultNamespace } from '../domain/ids.ts';
import type { CatalogueAccess, NamespacesService } from './needs.ts';

/** Functions that a refusal names. */
const maxNamed = 10;

const nothing: NamespaceValue = { labels: {}, annotations: {} };

/** Namespaces as records of the catalogue; the default one needs none. */
export const createNamespacesService = (catalogue: CatalogueAccess): NamespacesService => {
  const recorded = (name: string): NamespaceValue | undefined => {
    const record = isName(name) ? catalogue.get(keys.namespace(name)) : undefined;
    return record && asNamespace(record);
  };
  const functionsOf = (name: string): readonly string[] =>
    catalogue.list(keys.function(name, '')).map((record) => asFunction(record).deployment.service);

  /** Deployed at one node while the namespace was removed at another, functions keep it alive until they are gone. */
  const has = (name: string): boolean =>
    name === defaultNamespace || recorded(name) !== undefined || (isName(name) && functionsOf(name).length > 0);

  return {
    has,

    list: () => {
      const named = catalogue.list(keys.namespace('')).map(({ key }) => key.slice(keys.namespace('').length));
      const used = catalogue.list('function/').map(({ key }) => key.split('/')[1] ?? '');
      return [...new Set([defaultNamespace, ...named, ...used])].sort();
    },

    get: (name) => {
      if (!has(name)) throw notFound(name);
      return { name, ...(recorded(name) ?? nothing) };
    },

    create: async ({ name, ...value }) => {
      if (!isName(name)) throw badName(name);
      if (name === defaultNamespace) throw alreadyExists(name);
      const outcome = await catalogue.put(keys.namespace(name), value, { ifAbsent: true });
      if (outcome.kind === 'exists') throw alreadyExists(name);
    },

    update: async ({ name, ...value }) => {
      if (!has(name)) throw notFound(name);
      await catalogue.put(keys.namespace(name), value);
    },

    remove: async (name) => {
      if (!has(name)) throw notFound(name);
      if (name === defaultNamespace) throw new SkeinError('invalid', `${name} is the default namespace: it stays`);
      const functions = functionsOf(name);
      if (functions.length > 0) throw notEmpty(name, functions);
      await catalogue.remove(keys.namespace(name));
      for (const { key } of catalogue.list(keys.secret(name, ''))) await catalogue.remove(key);
    },
  };
};

const isName = (name: string): boolean => functionName.safeParse(name).success;

const shown = (name: string): string => name.slice(0, 100);

const notFound = (name: string): SkeinError => new SkeinError('not-found', `namespace ${shown(name)} not found`);

const alreadyExists = (name: string): SkeinError => new SkeinError('exists', `namespace ${shown(name)} already exists`);

const badName = (name: string): SkeinError =>
  new SkeinError(
    'invalid',
    `${JSON.stringify(shown(name))} cannot name a namespace: it must be a DNS label: lower-case letters, digits and hyphens, at most 63`,
  );

const notEmpty = (name: string, functions: readonly string[]): SkeinError => {
  const more = functions.length > maxNamed ? ` and ${functions.length - maxNamed} more` : '';
  const named = functions.slice(0, maxNamed).join(', ');
  return new SkeinError('invalid', `namespace ${name} has functions: remove ${named}${more} first`);
};
