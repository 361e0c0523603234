import { z } from 'zod';
import { functionDeployment, functionName, secretName } from '../domain/function.ts';
import { defaultNamespace, parseDigest } from '../domain/ids.ts';
import {
  keys,
  type CatalogueRecord,
  type FunctionValue,
  type ImageValue,
  type NamespaceValue,
  type OverrideValue,
  type SecretValue,
} from './record.ts';

/**
 * What may be kept under each kind of key. Values travel and are stored as they were written; they are checked
 * here before anyone uses them. Unknown members are allowed: a newer node may have written them.
 */
const digest = z
  .string()
  .refine((text) => parseDigest(text) !== undefined, 'must be sha256: and 64 hexadecimal digits');
const strings = z.record(z.string(), z.string());

const functionValue = z.object({
  deployment: functionDeployment,
  digest,
  createdAt: z.iso.datetime({ offset: true }),
});

const imageValue = z.object({ digest });

const overrideValue = z.object({
  selector: z.array(z.string().max(512)).max(32),
  labels: strings.optional(),
  envVars: strings.optional(),
  limits: z.object({ memory: z.string().optional(), cpu: z.string().optional() }).optional(),
});

const namespaceValue = z.object({ labels: strings, annotations: strings });

const secretValue = z.object({ sealed: z.string().min(1), updatedAt: z.iso.datetime({ offset: true }) });

/** What is wrong with a value under a key, or undefined. Kinds of keys that this version does not know take anything. */
export const problemOf = (key: string, value: unknown): string | undefined => {
  if (value === null) return undefined;
  const kind = key.slice(0, key.indexOf('/'));
  const schema = schemas.get(kind);
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (!parsed.success) return z.prettifyError(parsed.error);
  if (kind === 'function') return misfiled(key, value as FunctionValue);
  return kind === 'secret' || kind === 'namespace' ? misnamed(key) : undefined;
};

const schemas = new Map<string, z.ZodType>([
  ['function', functionValue],
  ['image', imageValue],
  ['override', overrideValue],
  ['namespace', namespaceValue],
  ['secret', secretValue],
]);

/** A function under another's key would be run in its place. */
const misfiled = (key: string, { deployment }: FunctionValue): string | undefined =>
  key === keys.function(deployment.namespace || defaultNamespace, deployment.service)
    ? undefined
    : `The deployment of ${deployment.service} does not belong under ${key}.`;

/** Their names become folders and files at the nodes that use them. */
const misnamed = (key: string): string | undefined => {
  const [kind, namespace = '', name, ...more] = key.split('/');
  const good = functionName.safeParse(namespace).success && more.length === 0;
  if (good && (kind === 'secret' ? secretName.safeParse(name).success : name === undefined)) return undefined;
  return `${key} cannot name a ${kind}.`;
};

/** A record whose value was checked, as what its kind of key says it is. */
export const asFunction = (record: CatalogueRecord): FunctionValue => record.value as FunctionValue;
export const asImage = (record: CatalogueRecord): ImageValue => record.value as ImageValue;
export const asOverride = (record: CatalogueRecord): OverrideValue => record.value as OverrideValue;
export const asNamespace = (record: CatalogueRecord): NamespaceValue => record.value as NamespaceValue;
export const asSecret = (record: CatalogueRecord): SecretValue => record.value as SecretValue;
