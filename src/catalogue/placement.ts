import { functionDeployment, type FunctionDeployment } from '../domain/function.ts';
import { SkeinError } from '../domain/errors.ts';
import { canonicalJson } from '../std/canonical-json.ts';
import { sha256Hex } from '../std/sha256.ts';
import type { FunctionValue, OverrideValue } from './record.ts';

/** What constraints can speak of. */
export type NodeFacts = {
  readonly name: string;
  readonly roles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
};

/** `skein.role==gpu`: the node has that role; `skein.role!=gpu`: it has not. */
export type Constraint = {
  readonly subject: Subject;
  readonly equal: boolean;
  readonly value: string;
};

type Subject = { readonly kind: 'node' | 'role' | 'location' } | { readonly kind: 'label'; readonly name: string };

/**
 * Constraints as OpenFaaS takes them: `KEY==VALUE`, `KEY=VALUE` (the same) or `KEY!=VALUE`, spaces around the operator
 * allowed. Keys: `skein.node`, `skein.role`, `location` (or `skein.location`) and `label.NAME`. `invalid` names what is not
 * understood: a constraint that is ignored would run a function where it must not run.
 */
export const parseConstraints = (texts: readonly string[] | null | undefined): readonly Constraint[] =>
  (texts ?? []).map(parseConstraint);

const pattern = /^\s*([^\s=!]+)\s*(==|=|!=)\s*(.*?)\s*$/;

const parseConstraint = (text: string): Constraint => {
  const [, key, operator, value] = pattern.exec(text) ?? [];
  if (key === undefined || value === undefined || value === '') {
    throw new SkeinError('invalid', `The constraint "${text}" is not of the form KEY==VALUE or KEY!=VALUE.`);
  }
  return { subject: subjectOf(key, text), equal: operator !== '!=', value };
};

const subjectOf = (key: string, text: string): Subject => {
  if (key === 'skein.node') return { kind: 'node' };
  if (key === 'skein.role') return { kind: 'role' };
  if (key === 'location' || key === 'skein.location') return { kind: 'location' };
  if (key.startsWith('label.') && key.length > 'label.'.length)
    return { kind: 'label', name: key.slice('label.'.length) };
  throw new SkeinError(
    'invalid',
    `The constraint "${text}" speaks of "${key}"; known are skein.node, skein.role, location and label.NAME (a label of the node).`,
  );
};

/** Whether all constraints hold at a node. A node without a location or label is unequal to every value. */
export const isPlaced = (constraints: readonly Constraint[], node: NodeFacts): boolean =>
  constraints.every(({ subject, equal, value }) => has(node, subject, value) === equal);

const has = (node: NodeFacts, subject: Subject, value: string): boolean => {
  switch (subject.kind) {
    case 'node':
      return node.name === value;
    case 'role':
      return node.roles.includes(value);
    case 'location':
      return node.location === value;
    case 'label':
      return Object.hasOwn(node.labels, subject.name) && node.labels[subject.name] === value;
  }
};

/**
 * `isPlaced` for constraints out of the catalogue: what cannot be understood there (a later version wrote it) places nowhere, and the
 * problem says why.
 */
export const placementOf = (
  constraints: readonly string[] | null | undefined,
  node: NodeFacts,
): { readonly placed: boolean; readonly problem?: string } => {
  try {
    return { placed: isPlaced(parseConstraints(constraints), node) };
  } catch (error) {
    if (error instanceof SkeinError) return { placed: false, problem: error.message };
    throw error;
  }
};

/**
 * The deployment as this node runs it: each override whose selector picks the node adds to labels, environment and limits
 * or replaces members of them, in the order given (`Catalogue.list` gives the order of their ids). Constraints are left out,
 * for they were heeded before; so are empty members, so that equal deployments look equal however a client wrote them.
 */
export const applyOverrides = (
  value: FunctionValue,
  overrides: readonly OverrideValue[],
  node: NodeFacts,
): FunctionDeployment =>
  bare(overrides.filter(({ selector }) => placementOf(selector, node).placed).reduce(applyOverride, value.deployment));

const applyOverride = (deployment: FunctionDeployment, override: OverrideValue): FunctionDeployment => ({
  ...deployment,
  ...(override.labels && { labels: { ...deployment.labels, ...override.labels } }),
  ...(override.envVars && { envVars: { ...deployment.envVars, ...override.envVars } }),
  ...(override.limits && { limits: { ...deployment.limits, ...override.limits } }),
});

const bare = (deployment: FunctionDeployment): FunctionDeployment => {
  const { constraints: _, ...rest } = functionDeployment.parse(deployment);
  return Object.fromEntries(Object.entries(rest).filter(([, member]) => !isEmpty(member))) as FunctionDeployment;
};

/** OpenFaaS clients write an absent member as null, '', [] or {}. */
const isEmpty = (member: unknown): boolean =>
  member === undefined ||
  member === null ||
  member === '' ||
  member === false ||
  (typeof member === 'object' && Object.keys(member).length === 0);

/**
 * Tells apart what a node runs, as 16 hexadecimal digits: equal exactly when the digest and the effective deployment
 * (what `applyOverrides` gave) are.
 */
export const revisionOf = (value: Pick<FunctionValue, 'digest'>, effective: FunctionDeployment): string =>
  sha256Hex(canonicalJson([value.digest, effective])).slice(0, 16);
