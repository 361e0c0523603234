import * as fc from 'fast-check';
import { z } from 'zod';
import { openapi } from './openapi.ts';

type Type = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';

/** As far as the document of this API uses it. */
export type Schema = {
  readonly $ref?: string;
  readonly type?: Type | readonly Type[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
};

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export type Operation = {
  readonly path: string;
  readonly method: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  readonly security: readonly unknown[];
};

const document = openapi('1.0.0') as {
  readonly paths: Record<string, Record<string, Omit<Operation, 'path' | 'method'>>>;
  readonly components: { readonly schemas: Record<string, Schema> };
};

const all: readonly Operation[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, rest]) => ({ ...rest, path, method: method.toUpperCase() })),
);

/** Calls of functions: the data plane's. */
export const invocations = all.filter(({ path }) => path.startsWith('/function/'));

/** Of the control API. */
export const operations = all.filter((operation) => !invocations.includes(operation));

const checks = new Map<Schema, z.ZodType>();

/** What is wrong with a value that should be as `schema` says; undefined when nothing is. */
export const mismatch = (schema: Schema, value: unknown): string | undefined => {
  let check = checks.get(schema);
  if (check === undefined) {
    const whole = JSON.stringify({ ...schema, $defs: document.components.schemas });
    const local = JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')) as JsonSchema;
    check = z.fromJSONSchema(local);
    checks.set(schema, check);
  }
  const parsed = check.safeParse(value);
  return parsed.success ? undefined : z.prettifyError(parsed.error);
};

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

/** Values that mean something where a test runs, by the name of the member or parameter that may hold them. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

/** Values that `schema` allows for the member `name`: mostly those that mean something, and any other. */
export const arbitraryOf = (schema: Schema, hints: Hints, name = ''): fc.Arbitrary<unknown> => {
  const hinted = (Object.hasOwn(hints, name) ? (hints[name] ?? []) : []).filter(
    (value) => mismatch(schema, value) === undefined,
  );
  const any = anyOf(schema, hints);
  if (hinted.length === 0) return any;
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...hinted) }, { weight: 1, arbitrary: any });
};

const anyOf = (schema: Schema, hints: Hints): fc.Arbitrary<unknown> => {
  const { $ref, type } = schema;
  if ($ref !== undefined) return anyOf(document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, hints);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => anyOf(one, hints)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(type)) return fc.oneof(...type.map((one: Type) => anyOf({ ...schema, type: one }, hints)));
  switch (type as Type | undefined) {
    case 'object':
      return objectOf(schema, hints);
    case 'array':
      return fc.array(anyOf(schema.items ?? {}, hints), { maxLength: Math.min(schema.maxItems ?? 3, 3) });
    case 'string':
      return stringOf(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -5, max: schema.maximum ?? 1_000_000 });
    case 'number':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case undefined:
      return fc.jsonValue({ maxDepth: 2 });
  }
};

const objectOf = (schema: Schema, hints: Hints): fc.Arbitrary<unknown> => {
  const { properties = {}, required = [], additionalProperties } = schema;
  const members = Object.entries(properties).map(([name, one]) => [name, arbitraryOf(one, hints, name)]);
  const known = fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [...required],
  });
  if (typeof additionalProperties !== 'object') return known;
  const names = stringOf(schema.propertyNames ?? {});
  const more = fc.dictionary(names, anyOf(additionalProperties, hints), { maxKeys: 3 });
  return fc.tuple(more, known).map(([extra, own]) => ({ ...extra, ...own }));
};

const stringOf = ({ pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> => {
  const bounds = { minLength, maxLength: Math.min(maxLength, 40) };
  return pattern === undefined ? fc.string(bounds) : fc.stringMatching(new RegExp(pattern), bounds);
};
