import { z } from 'zod';
import { abouts, configSchema, type About } from './schema.ts';

/** How a value is written as text, in the environment and in flags. */
export type ValueKind = 'text' | 'number' | 'list' | 'map';

/** One setting: `gateway.listen`, `SKEIN_GATEWAY_LISTEN`, `--gateway-listen`. */
export type ConfigKey = About & {
  readonly key: string;
  readonly env: string;
  readonly flag: string;
  readonly kind: ValueKind;
  /** Its type as the reference page says it. */
  readonly type: string;
};

const kebab = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('.', '-');

const withoutOptional = (schema: unknown): unknown => (schema instanceof z.ZodOptional ? schema.unwrap() : schema);

const kindOf = (schema: unknown): ValueKind => {
  // Text that is no number stays text.
  if (schema instanceof z.ZodNumber || schema instanceof z.ZodUnion) return 'number';
  if (schema instanceof z.ZodArray) return 'list';
  if (schema instanceof z.ZodRecord) return 'map';
  return 'text';
};

const typeOf = (schema: unknown): string => {
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(' or ');
  if (schema instanceof z.ZodPipe) return 'text';
  if (schema instanceof z.ZodUnion) return schema.options.map(typeOf).join(' or ');
  if (schema instanceof z.ZodLiteral) return `\`${String(schema.value)}\``;
  if (schema instanceof z.ZodNumber && !schema.isInt) return 'number';
  return { number: 'whole number', list: 'list', map: 'map', text: 'text' }[kindOf(schema)];
};

const keysOf = (schema: z.ZodObject, prefix: string): ConfigKey[] =>
  Object.entries(schema.shape).flatMap(([name, member]) => {
    const key = `${prefix}${name}`;
    if (member instanceof z.ZodObject) return keysOf(member, `${key}.`);
    const about = abouts.get(member as z.ZodType);
    if (about === undefined) throw new Error(`the setting ${key} says nothing of itself`);
    const inner = withoutOptional(member);
    const flag = kebab(key);
    const env = `SKEIN_${flag.replaceAll('-', '_').toUpperCase()}`;
    return [{ ...about, key, env, flag: `--${flag}`, kind: kindOf(inner), type: typeOf(inner) }];
  });

/** Every setting, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = keysOf(configSchema, '');
