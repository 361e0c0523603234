import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

const types: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  record: 'a map of names to values',
  object: 'a map',
};

/** What a value must be, to be read behind its name: `must be a list`. Sentences that a schema brings itself stay as they are. */
export const issueSentence = (issue: Issue): string => {
  if (issue.code === 'invalid_type') return `must be ${types[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') {
    return own(issue) ?? (issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`);
  }
  if (issue.code === 'too_big') {
    const isLong = issue.origin === 'string' || issue.origin === 'array';
    return own(issue) ?? (isLong ? `must not be longer than ${issue.maximum}` : `must be at most ${issue.maximum}`);
  }
  return issue.message;
};

const own = ({ message }: Issue): string | undefined => (/^Too (small|big):/.test(message) ? undefined : message);

/** Of several shapes of which none fits, what the first lacks: the others are there for what was left empty. */
export const firstShape = (issue: Issue): Issue => {
  const inner = issue.code === 'invalid_union' ? issue.errors[0]?.[0] : undefined;
  return inner === undefined ? issue : firstShape({ ...inner, path: [...issue.path, ...inner.path] });
};
