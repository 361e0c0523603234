import type { FunctionValue } from '../catalogue/record.ts';
import type { FunctionAtNode, FunctionStatus } from '../domain/function.ts';
import { defaultNamespace, functionKey } from '../domain/ids.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { Counts, Said } from './ask.ts';
import type { NodeFunction } from './needs.ts';

/** A function exactly as it was deployed, with its counts. What the deployment left out stays out. */
export const totalStatus = (value: FunctionValue, counts: ReadonlyMap<FunctionKey, Counts>): FunctionStatus => {
  const { service, namespace: given, ...deployed } = value.deployment;
  const namespace = given || defaultNamespace;
  const none: Counts = { replicas: 0, availableReplicas: 0, invocationCount: 0 };
  return {
    name: service,
    namespace,
    ...(withoutNulls(deployed) as Omit<FunctionStatus, 'name' | 'namespace'>),
    ...(counts.get(functionKey(service, namespace)) ?? none),
    createdAt: value.createdAt,
  };
};

/** A function at one node, where `wish` is what it should be. */
export const atNode = ({ node, answered, there }: Said, wish: string): FunctionAtNode => ({
  node,
  state: answered ? stateOf(there, wish) : 'unreachable',
  replicas: there?.replicas ?? 0,
  availableReplicas: there?.availableReplicas ?? 0,
  invocationCount: there?.invocationCount ?? 0,
  servedCount: there?.servedCount ?? 0,
  ...(there?.usage !== undefined && { usage: there.usage }),
  ...(there?.problem !== undefined && { problem: there.problem }),
});

const stateOf = (there: NodeFunction | undefined, wish: string): FunctionAtNode['state'] => {
  if (there === undefined || there.wish !== wish) return 'behind';
  if (!there.placed) return 'elsewhere';
  return there.ready === true ? 'ready' : 'starting';
};

const withoutNulls = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
