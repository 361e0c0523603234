import type { Digest, NodeId } from '../domain/ids.ts';
import type { FunctionDeployment } from '../domain/function.ts';

/**
 * The catalogue is a set of registers, one a key; each holds the newest value anyone wrote, or null where it was
 * deleted. Newest is by a federation-wide Lamport counter and then by node id: no wall clock decides.
 */
export type CatalogueRecord<Value = unknown> = {
  readonly key: string;
  readonly version: Version;
  /** null = deleted (a tombstone). */
  readonly value: Value | null;
  /** When it was written, milliseconds since the epoch by the writer's clock. For people, and for collecting tombstones. */
  readonly at: number;
};

export type Version = { readonly counter: number; readonly node: NodeId };

/** What is kept under each kind of key. */
export type FunctionValue = {
  readonly deployment: FunctionDeployment;
  /** What the image meant when it was deployed: nodes never differ in what a tag means. */
  readonly digest: Digest;
  /** When the function was first deployed, ISO 8601. */
  readonly createdAt: string;
};

export type ImageValue = { readonly digest: Digest };

/** How a function differs at the nodes that `selector` (constraints, as in a deployment) picks. */
export type OverrideValue = {
  readonly selector: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly envVars?: Readonly<Record<string, string>>;
  readonly limits?: { readonly memory?: string; readonly cpu?: string };
};

export type NamespaceValue = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** A secret as the federation keeps it; only a holder of the federation's key can open it (`secrets/vault.ts`). */
export type SecretValue = {
  readonly sealed: string;
  /** ISO 8601; for people. */
  readonly updatedAt: string;
};

export const keys = {
  function: (namespace: string, name: string): string => `function/${namespace}/${name}`,
  /** `NAME:TAG`. */
  image: (image: string): string => `image/${image}`,
  /** Several overrides of one function apply in the order of their ids. */
  override: (namespace: string, name: string, id: string): string => `override/${namespace}/${name}/${id}`,
  namespace: (name: string): string => `namespace/${name}`,
  secret: (namespace: string, name: string): string => `secret/${namespace}/${name}`,
} as const;
