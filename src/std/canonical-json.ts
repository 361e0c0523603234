/**
 * JSON with the members of every object in order of their names and no white space: equal values give equal text.
 * Members that are undefined are left out, as `JSON.stringify` does; so are functions and symbols.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(sorted(JSON.parse(text(value))));

const text = (value: unknown): string => JSON.stringify(value) ?? 'null';

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // A null prototype, so that a member named `__proto__` stays an ordinary member.
  const result = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of members) result[name] = sorted(member);
  return result;
};
