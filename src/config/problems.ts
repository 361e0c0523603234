import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** One sentence for each issue; `place` says where a setting was set. */
export const problemsOf = (error: z.ZodError, place: (key: string) => string): string[] =>
  error.issues.map((issue) => {
    // Settings are at most two levels deep; what follows is the place within a list or a map.
    const key = issue.path.slice(0, 2).join('.');
    const isTop = typeof issue.path[1] !== 'string';
    const within = issue.path.slice(isTop ? 1 : 2);
    const item =
      within.length === 0
        ? ''
        : ` (${within.map((part) => (typeof part === 'number' ? `item ${part + 1}` : String(part))).join(', ')})`;
    return `${place(isTop ? String(issue.path[0]) : key)}${item} ${sentence(issue)}`;
  });

const types: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a whole number',
  string: 'text',
  array: 'a list',
  record: 'a map of names to values',
  object: 'a map',
};

const sentence = (issue: Issue): string => {
  if (issue.code === 'invalid_type') return `must be ${types[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') {
    return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`;
  }
  if (issue.code === 'too_big') {
    const isLong = issue.origin === 'string' || issue.origin === 'array';
    return isLong ? `must not be longer than ${issue.maximum}` : `must be at most ${issue.maximum}`;
  }
  return issue.message;
};
