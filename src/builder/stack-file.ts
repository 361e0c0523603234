import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { type FunctionDeployment, functionDeployment } from '../domain/function.ts';
import { firstShape, issueSentence } from '../std/issue-sentence.ts';
import { nearestName } from '../std/nearest-name.ts';
import { type Environment, substitute } from './substitute.ts';

export type Stack = {
  /** In the order of the file. */
  readonly functions: readonly StackFunction[];
  /** `provider.gateway`. */
  readonly gateway?: string;
  /** What the file says and what has no meaning for bundles, as paths: `configuration.templates`. */
  readonly ignored: readonly string[];
};

export type StackFunction = {
  /** Absolute path of the function's sources; missing when the image is deployed as it is. */
  readonly folder?: string;
  readonly deployment: FunctionDeployment;
};

/** Every value is read as text, as OpenFaaS' own tools take it: `1.10` stays `1.10` and `yes` stays `yes`. */
const nothing = z.literal('').transform(() => undefined);
const strings = z.record(z.string(), z.string()).or(nothing).optional();
const list = z.array(z.string()).or(nothing).optional();
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const resources = z.strictObject({ memory: z.string().optional(), cpu: z.string().optional() }).or(nothing).optional();

/** How a container is built and fetched: part of files that must load unchanged, and named as ignored. */
function unused<Name extends string>(...names: readonly Name[]): Record<Name, z.ZodOptional<z.ZodUnknown>> {
  return Object.fromEntries(names.map((name) => [name, z.unknown().optional()])) as never;
}

const unusedOfFunctions = unused('build_args', 'build_options', 'build_secrets', 'platforms', 'registry_auth');

const stackFunction = z.strictObject({
  lang: z.string().optional(),
  handler: z.string().optional(),
  image: z.string().optional(),
  namespace: z.string().optional(),
  fprocess: z.string().optional(),
  environment: strings,
  environment_file: list,
  secrets: list,
  labels: strings,
  annotations: strings,
  limits: resources,
  requests: resources,
  constraints: list,
  readonly_root_filesystem: flag.optional(),
  skip_build: flag.optional(),
  ...unusedOfFunctions,
});

const configuration = z.strictObject(unused('templates', 'copy'));

const stack = z.strictObject({
  version: z.string().optional(),
  provider: z
    .strictObject({ name: z.string().optional(), gateway: z.string().optional(), ...unused('network') })
    .or(nothing)
    .optional(),
  functions: z.record(z.string(), stackFunction),
  configuration: configuration.or(nothing).optional(),
});

const environmentFile = z.strictObject({ environment: strings });

/**
 * Reads an OpenFaaS `stack.yml`, filling in `${NAME}` and `${NAME:-default}` from `environment`. Folders and
 * environment files are relative to the stack file; what those files say is over `environment`, and a later one over an
 * earlier. A function without an image gets `NAME:latest`. `invalid` when the
 * file or a file it names cannot be read or makes no sense, or a variable without a default is not set; every fault is named, with what was probably meant.
 */
export const readStackFile = async (file: string, environment: Environment): Promise<Stack> => {
  const parsed = await readYaml(file, stack, environment);
  const folder = path.dirname(path.resolve(file));
  const entries = Object.entries(parsed.functions);
  const gateway = parsed.provider?.gateway ?? '';
  return {
    functions: await Promise.all(
      entries.map(async ([name, entry]) => stackEntry(file, folder, name, entry, environment)),
    ),
    ...(gateway === '' ? {} : { gateway }),
    ignored: ignoredIn(parsed),
  };
};

const ignoredIn = ({ provider, configuration, functions }: z.infer<typeof stack>): readonly string[] => [
  ...(provider?.network === undefined ? [] : ['provider.network']),
  ...Object.keys(configuration ?? {}).map((key) => `configuration.${key}`),
  ...Object.entries(functions).flatMap(([name, entry]) =>
    Object.keys(entry)
      .filter((key) => Object.hasOwn(unusedOfFunctions, key))
      .map((key) => `functions.${name}.${key}`),
  ),
];

const stackEntry = async (
  file: string,
  folder: string,
  name: string,
  entry: z.infer<typeof stackFunction>,
  environment: Environment,
): Promise<StackFunction> => {
  const envVars: Record<string, string> = { ...entry.environment };
  for (const name of entry.environment_file ?? []) {
    Object.assign(envVars, (await readYaml(path.resolve(folder, name), environmentFile, environment)).environment);
  }
  const deployment = {
    service: name,
    image: entry.image ?? `${name}:latest`,
    namespace: entry.namespace,
    envProcess: entry.fprocess,
    envVars: Object.keys(envVars).length > 0 ? envVars : undefined,
    secrets: entry.secrets,
    labels: entry.labels,
    annotations: entry.annotations,
    limits: entry.limits,
    requests: entry.requests,
    constraints: entry.constraints,
    readOnlyRootFilesystem: entry.readonly_root_filesystem,
  };
  const present = Object.fromEntries(Object.entries(deployment).filter(([, value]) => value !== undefined));
  const checked = check(functionDeployment, present, `The function ${name} in ${file}`);
  const isBuilt = entry.handler !== undefined && entry.handler !== '' && entry.skip_build !== true;
  return { deployment: checked, ...(isBuilt ? { folder: path.resolve(folder, entry.handler ?? '') } : {}) };
};

const readYaml = async <Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  environment: Environment,
): Promise<z.infer<Schema>> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SkeinError('invalid', `${file} cannot be read: ${messageOf(cause)}.`, { cause });
  });
  let raw: unknown;
  try {
    raw = parse(text, { schema: 'failsafe', merge: true });
  } catch (cause) {
    // What follows its first line is a picture of the place, which the line names.
    const [what = ''] = messageOf(cause).split('\n');
    throw new SkeinError('invalid', `${file} is not YAML: ${what.replace(/:$/, '')}.`, { cause });
  }
  const unset = new Set<string>();
  const filled = fillIn(raw, environment, (name) => unset.add(name));
  if (unset.size > 0) throw new SkeinError('invalid', [...unset].map((name) => notSet(file, text, name)).join('\n'));
  return check(schema, filled, file);
};

const notSet = (file: string, text: string, name: string): string => {
  const line = text.split('\n').findIndex((line) => line.replace(/^\s*#.*/, '').includes(`\${${name}}`)) + 1;
  return `${file}:${line}: ${name} is not set: export it, or write a default as \${${name}:-default}`;
};

/** After parsing, so that what a variable holds stays one value whatever is in it. */
const fillIn = (value: unknown, environment: Environment, unset: (name: string) => void): unknown => {
  if (typeof value === 'string') return substitute(value, environment, unset);
  if (Array.isArray(value)) return value.map((item) => fillIn(item, environment, unset));
  if (typeof value !== 'object' || value === null) return '';
  const entries = Object.entries(value).map(([key, item]) => [
    substitute(key, environment, unset),
    fillIn(item, environment, unset),
  ]);
  return Object.fromEntries(entries);
};

const check = <Schema extends z.ZodType>(schema: Schema, raw: unknown, place: string): z.infer<Schema> => {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new SkeinError('invalid', `${place} makes no sense: ${parsed.error.issues.map(describe).join('; ')}.`);
};

const known = [stack, stackFunction, configuration, environmentFile].flatMap((schema) => Object.keys(schema.shape));

const describe = (given: z.core.$ZodIssue): string => {
  const issue = firstShape(given);
  const place = issue.path.join('.') || 'all of it';
  if (issue.code !== 'unrecognized_keys') return `${place} ${issueSentence(issue)}`;
  const keys = issue.keys.map((key) => {
    const meant = nearestName(key, known);
    return meant === undefined ? key : `${key} (${meant}?)`;
  });
  return `${place} has keys that mean nothing: ${keys.join(', ')}`;
};
