import { SkeinError } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { defaultNamespace } from '../domain/ids.ts';

/** All namespaces that there are. */
export const namespaces: readonly string[] = [defaultNamespace];

/** The namespace that a call means: the body's word comes before the query's; neither means the default one. `invalid`. */
export const namespaceOf = (inBody: string | null | undefined, inQuery: string | null): string => {
  const namespace = inBody || inQuery || defaultNamespace;
  if (!namespaces.includes(namespace)) throw new SkeinError('invalid', 'namespace not valid');
  return namespace;
};

/** `NAME` or `NAME.NAMESPACE`, split at the last dot; a namespace in the name comes before all others. `invalid`. */
export const refOf = (text: string, inBody: string | null | undefined, inQuery: string | null): FunctionRef => {
  const dot = text.lastIndexOf('.');
  return dot < 0
    ? { name: text, namespace: namespaceOf(inBody, inQuery) }
    : { name: text.slice(0, dot), namespace: namespaceOf(text.slice(dot + 1), null) };
};
