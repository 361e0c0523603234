import type { ValueKind } from './keys.ts';
import type { RawValue } from './schema.ts';

/**
 * What a variable or a flag says, as the file would hold it: lists are `a,b`, maps `k=v,k2=v2`. What cannot be read as
 * `kind` stays text, so that the schema's check names it.
 */
export const valueFromText = (text: string, kind: ValueKind): RawValue => {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'list':
      return parts(text);
    case 'map':
      return mapFrom(text);
  }
};

const parts = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const mapFrom = (text: string): RawValue => {
  const pairs = parts(text).map((part) => /^([^=]+)=(.*)$/.exec(part));
  if (pairs.includes(null)) return text;
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
};
