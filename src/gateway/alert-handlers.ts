import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { alertedReplicas } from './alert.ts';
import { readJson } from './body.ts';
import type { Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, text } from './responses.ts';
import { routes } from './routes.ts';

type Alert = { readonly status: 'firing' | 'resolved'; readonly function: string };

/** Alertmanager's webhook. A function that nobody knows is passed over: an alert may be older than its removal. */
export const alertHandlers = (needs: GatewayNeeds, names: Names): Record<'alert', Handler> => ({
  alert: async (call) => {
    const problems: string[] = [];
    for (const [index, alert] of (await readAlerts(call)).entries()) {
      try {
        await follow(alert, needs, names);
      } catch (error) {
        if (codeOf(error) === 'internal') throw error;
        problems.push(`[${index}] ${messageOf(error)}`);
      }
    }
    return problems.length === 0 ? empty(200) : text(503, problems.join('\n'));
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

const follow = async ({ status, function: name }: Alert, needs: GatewayNeeds, names: Names): Promise<void> => {
  const ref = knownRef(name, names);
  if (ref === undefined) return;
  try {
    await needs.functions.rescale(ref, (replicas, labels) => alertedReplicas({ status, replicas, labels }));
  } catch (error) {
    if (codeOf(error) !== 'not-found') throw error;
  }
};

const knownRef = (name: string, names: Names): FunctionRef | undefined => {
  try {
    return names.refOf(name, null, null);
  } catch {
    return undefined;
  }
};
