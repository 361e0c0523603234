import { revisionOf } from '../catalogue/placement.ts';
import { SkeinError } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { functionKey, type FunctionKey } from '../domain/ids.ts';
import type { FunctionHost, NodeFunction, ScaleWish } from '../gateway/needs.ts';
import { nodeLogs } from '../gateway/node-logs.ts';
import type { FunctionProvider, ProvidedFunction } from '../providers/provider.ts';
import type { Hosted } from './hosted.ts';
import type { Measures } from './measures.ts';
import type { Rates } from './rates.ts';
import { namedHere, runsHere, type InForce } from './reach.ts';
import type { Scaler } from './scaler.ts';

export type HereNeeds = {
  readonly id: string;
  readonly name: string;
  readonly hosted: ReadonlyMap<FunctionKey, Hosted>;
  readonly provider: FunctionProvider;
  readonly scaler: Scaler;
  readonly rates: Rates;
  readonly measures: Measures;
  inForce(): InForce;
};

/** Of what is told of a function that is not ready. */
const maxProblem = 1_000;

/** This node, as one of those that run functions. */
export const functionsHere = (needs: HereNeeds): FunctionHost => ({
  id: needs.id,
  name: needs.name,
  list: async () => {
    const present = new Map(
      (await needs.provider.list()).map((one) => [functionKey(one.spec.ref.name, one.spec.ref.namespace), one]),
    );
    return [...needs.hosted.values()].map((hosted) => statusOf(needs, hosted, present.get(hosted.key)));
  },
  scale: (ref, wish) => scale(needs, ref, wish),
  logs: nodeLogs(needs.provider),
});

const statusOf = (needs: HereNeeds, hosted: Hosted, there: ProvidedFunction | undefined): NodeFunction => {
  const { provider, scaler, rates, measures } = needs;
  const { key, ref, spec, value, problem } = hosted;
  const { replicas = 0 } = there ?? {};
  const plan = needs.inForce();
  const available = namedHere(plan, key, provider.resolve(ref));
  const isCurrent = spec !== undefined && there?.spec.revision === spec.revision;
  const observed = rates.latest?.functions[key];
  // What an earlier revision suffered from says nothing of this one.
  const suffered = isCurrent ? (scaler.problem(key) ?? (available < replicas ? there?.problem : undefined)) : undefined;
  const why = problem ?? suffered;
  return {
    ...ref,
    placed: spec !== undefined,
    replicas,
    availableReplicas: available,
    invocationCount: observed?.entered ?? 0,
    servedCount: observed?.served ?? 0,
    usage: measures.usage(key),
    ...(spec !== undefined && { bounds: scaler.bounds(hosted) }),
    wish: revisionOf(value, value.deployment),
    // One that is to start may not be counted yet.
    ready: isCurrent && available >= replicas && (available > 0 || !scaler.wants(hosted)) && runsHere(plan, key),
    ...(why !== undefined && { problem: why.slice(0, maxProblem) }),
  };
};

const scale = async ({ hosted: all, scaler }: HereNeeds, ref: FunctionRef, wish: ScaleWish): Promise<void> => {
  const hosted = all.get(functionKey(ref.name, ref.namespace));
  if (hosted?.spec === undefined) throw new SkeinError('not-found', `${ref.name} does not live at this node`);
  if (!hosted.ready) {
    throw new SkeinError(
      'unavailable',
      `${ref.name} is not ready here yet${hosted.problem ? `: ${hosted.problem}` : ''}`,
    );
  }
  await scaler.set(hosted, wish);
};
