import type { z } from 'zod';
import { issueSentence } from '../std/issue-sentence.ts';

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
    return `${place(isTop ? String(issue.path[0]) : key)}${item} ${issueSentence(issue)}`;
  });
