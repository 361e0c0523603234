import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { alertedReplicas } from './alert.ts';
import { readJson } from './body.ts';
import type { Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, missingNodes, text } from './responses.ts';
import { routes } from './routes.ts';

type Alert = { readonly status: 'firing' | 'resolved'; readonly function: string };

/** Alertmanager's webhook. A function that nobody knows is passed over: an alert may be older than its removal. */
export const alertHandlers = (needs: GatewayNeeds, names: Names): Record<'alert', Handler> => ({
  alert: async (call) => {
    const problems: string[] = [];
    const unreachable: string[] = [];
    for (const [index, alert] of (await readAlerts(call)).entries()) {
      try {
        unreachable.push(...(await follow(alert, needs, names)));
      } catch (error) {
        if (codeOf(error) === 'internal') throw error;
        problems.push(`[${index}] ${messageOf(error)}`);
      }
    }
    const missing = missingNodes(unreachable);
    return problems.length === 0 ? empty(200, missing) : text(503, problems.join('\n'), missing);
  },
});

const readAlerts = async (call: Parameters<Handler>[0]): Promise<readonly Alert[]> => {
  try {
    const { alerts } = await readJson(call, routes.alert.request);
    return (alerts ?? []).map(({ status, labels }) => ({ status, function: labels.function_name }));
  } catch (error) {
    if (codeOf(error) !== 'invalid') throw error;
    throw new SkeinError('invalid', `Unable to parse alert, bad format. ${messageOf(error)}`, { cause: error });
  }
};

/** Answers the names of the nodes that could not be told. */
const follow = async (
  { status, function: name }: Alert,
  { functions }: GatewayNeeds,
  names: Names,
): Promise<readonly string[]> => {
  const ref = knownRef(name, names);
  if (ref === undefined) return [];
  try {
    return (await functions.rescale(ref, (now, labels) => alertedReplicas({ status, ...now, labels }))).unreachable;
  } catch (error) {
    if (codeOf(error) !== 'not-found') throw error;
    return [];
  }
};

const knownRef = (name: string, names: Names): FunctionRef | undefined => {
  try {
    return names.refOf(name, null, null);
  } catch {
    return undefined;
  }
};
