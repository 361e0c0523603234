import path from 'node:path';
import { SkeinError, messageOf } from '../domain/errors.ts';
import type { StackFunction } from './stack-file.ts';

/** The functions whose names match: `filter` with `*` for any letters, `regex` anywhere in the name. `invalid` when none does. */
export const pickFunctions = (
  functions: readonly StackFunction[],
  { filter, regex }: { readonly filter?: string; readonly regex?: string },
): readonly StackFunction[] => {
  const pattern = regex === undefined ? undefined : regexOf(regex);
  const picked = functions.filter(
    ({ deployment: { service } }) =>
      (filter === undefined || path.matchesGlob(service, filter)) && (pattern === undefined || pattern.test(service)),
  );
  if (picked.length > 0) return picked;
  const names = functions.map(({ deployment }) => deployment.service).join(', ');
  throw new SkeinError('invalid', `No function matches ${filter ?? regex}: there are ${names || 'none'}.`);
};

const regexOf = (text: string): RegExp => {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new SkeinError('invalid', `${text} is no regular expression: ${messageOf(cause)}.`, { cause });
  }
};
