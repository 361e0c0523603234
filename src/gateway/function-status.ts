import type { FunctionValue } from '../catalogue/record.ts';
import type { Observation } from '../dataplanes/data-plane.ts';
import type { FunctionStatus } from '../domain/function.ts';
import { defaultNamespace, functionKey, splitFunctionKey } from '../domain/ids.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { ProvidedFunction } from '../providers/provider.ts';
import type { Counts } from './ask.ts';
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

const withoutNulls = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));

/** The functions of one node: what its provider runs, and how often each was called here, wherever it was served. */
export const nodeFunctions = (
  provided: readonly ProvidedFunction[],
  observed: Pick<Observation, 'functions'>,
): readonly NodeFunction[] => {
  const byKey = new Map<FunctionKey, NodeFunction>();
  const observations = Object.entries(observed.functions) as [FunctionKey, Observation['functions'][FunctionKey]][];
  for (const [key, { entered }] of observations) {
    const none = { placed: false, replicas: 0, availableReplicas: 0 };
    byKey.set(key, { ...splitFunctionKey(key), ...none, invocationCount: entered });
  }
  for (const { spec, replicas, available } of provided) {
    const key = functionKey(spec.ref.name, spec.ref.namespace);
    const invocationCount = byKey.get(key)?.invocationCount ?? 0;
    byKey.set(key, { ...spec.ref, placed: true, replicas, availableReplicas: available, invocationCount });
  }
  return [...byKey.values()];
};
