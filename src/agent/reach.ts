import type { FunctionKey, NodeId } from '../domain/ids.ts';
import { functionKey } from '../domain/ids.ts';
import type { FunctionHost } from '../gateway/needs.ts';
import type { Plan } from '../routing/plan.ts';

/** What calls find by a plan that a data plane carries out. Without one they find nothing. */
export type InForce = Plan | undefined;

/** Calls of the function are run by this node: by a replica that the plan names, or by one that the call starts. */
export const runsHere = (plan: InForce, key: FunctionKey): boolean => {
  const planned = plan?.functions[key];
  return planned !== undefined && (planned.canStart || planned.replicas.length > 0);
};

/** How many of these replicas the plan names: those that it does not are not found by the next call. */
export const namedHere = (plan: InForce, key: FunctionKey, replicas: readonly { readonly id: string }[]): number => {
  const named = new Set(plan?.functions[key]?.replicas.map(({ id }) => id));
  return replicas.filter(({ id }) => named.has(id)).length;
};

/** Calls of the function that come to this node may be answered where `peer` is: they go there, or are run here anyway. */
export const reaches = (plan: InForce, key: FunctionKey, peer: NodeId): boolean => {
  if (plan === undefined) return false;
  if (runsHere(plan, key) && !plan.draining) return true;
  const share = plan.functions[key]?.peers.find(({ id }) => id === peer);
  return share !== undefined && share.weight > 0 && plan.peers.some(({ id }) => id === peer);
};

/** A peer's functions as this node can use them: replicas to which no call leads are not available. */
export const asReached = <Host extends Pick<FunctionHost, 'list'>>(
  host: Host,
  isReached: (key: FunctionKey) => boolean,
): Host => ({
  ...host,
  list: async (signal) =>
    (await host.list(signal)).map((one) =>
      isReached(functionKey(one.name, one.namespace)) ? one : { ...one, availableReplicas: 0 },
    ),
});
