import { expect, test } from 'vitest';
import { z } from 'zod';
import { firstShape, issueSentence } from './issue-sentence.ts';

const told = (schema: z.ZodType, value: unknown): string => {
  const [issue] = schema.safeParse(value).error?.issues ?? [];
  return issue === undefined ? '' : issueSentence(firstShape(issue));
};

test.each([
  [z.object({}), [], 'must be a map'],
  [z.record(z.string(), z.string()).or(z.literal('')), ['x'], 'must be a map of names to values'],
  [z.array(z.string()), 'x', 'must be a list'],
  [z.number().int().min(0), -5, 'must be at least 0'],
  [z.number().int(), 1.5, 'must be a whole number'],
  [z.string().max(3), 'four', 'must not be longer than 3'],
  [z.string().max(3, 'is longer than a name may be'), 'four', 'is longer than a name may be'],
  [z.enum(['true', 'false']), 'yes', 'must be one of true, false'],
])('says what is asked for, not what the schema is called', (schema, value, sentence) => {
  expect(told(schema, value)).toBe(sentence);
});

test('keeps the place within the shape that was meant', () => {
  const schema = z.object({ environment: z.record(z.string(), z.string()).or(z.literal('')) });
  const [issue] = schema.safeParse({ environment: { X: 1 } }).error?.issues ?? [];
  expect(firstShape(issue!).path).toEqual(['environment', 'X']);
});
