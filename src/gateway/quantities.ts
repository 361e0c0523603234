import { SkeinError } from '../domain/errors.ts';

/** As Kubernetes reads them: a decimal number and a suffix, binary, decimal or an exponent; not below zero. */
const quantity = /^\+?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/;

const resources = ['memory', 'cpu'] as const;

/** Refuses, with `invalid` and the field's name, what is no quantity. Empty texts count as not given. */
export const checkQuantities = (
  field: 'limits' | 'requests',
  given: { readonly [resource in (typeof resources)[number]]?: string | undefined } | null | undefined,
): void => {
  for (const resource of resources) {
    const value = given?.[resource];
    if (value === undefined || value === '' || quantity.test(value)) continue;
    const examples = resource === 'memory' ? '128Mi or 1G' : '500m or 0.5';
    const shown = JSON.stringify(value.slice(0, 64));
    throw new SkeinError('invalid', `${field}.${resource}: must be a quantity such as ${examples}; it is ${shown}`);
  }
};
