import { SkeinError } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { defaultNamespace } from '../domain/ids.ts';
import type { NamespacesService } from './needs.ts';

/** What the names in a call mean. */
export type Names = {
  /** The namespace that a call means: the body's word comes before the query's; neither means the default one. `invalid`. */
  readonly namespaceOf: (inBody: string | null | undefined, inQuery: string | null) => string;
  /** `NAME` or `NAME.NAMESPACE`, split at the last dot; a namespace in the name comes before all others. `invalid`. */
  readonly refOf: (text: string, inBody: string | null | undefined, inQuery: string | null) => FunctionRef;
};

export const createNames = (namespaces: Pick<NamespacesService, 'has'>): Names => {
  const namespaceOf: Names['namespaceOf'] = (inBody, inQuery) => {
    const namespace = inBody || inQuery || defaultNamespace;
    if (!namespaces.has(namespace)) throw new SkeinError('invalid', 'namespace not valid');
    return namespace;
  };
  return {
    namespaceOf,
    refOf: (text, inBody, inQuery) => {
      const dot = text.lastIndexOf('.');
      return dot < 0
        ? { name: text, namespace: namespaceOf(inBody, inQuery) }
        : { name: text.slice(0, dot), namespace: namespaceOf(text.slice(dot + 1), null) };
    },
  };
};
