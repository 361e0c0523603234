import type { FunctionRef } from '../domain/function.ts';
import { readJson } from './body.ts';
import type { Call, Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, json } from './responses.ts';
import { routes } from './routes.ts';

type OverrideRoute = 'listOverrides' | 'getOverride' | 'setOverride' | 'removeOverride';

export const overrideHandlers = ({ overrides }: GatewayNeeds, names: Names): Record<OverrideRoute, Handler> => {
  const functionOf = ({ params, query }: Call): FunctionRef =>
    names.refOf(params['name'] ?? '', null, query.get('namespace'));
  return {
    listOverrides: async (call) => json(overrides.list(functionOf(call))),

    getOverride: async (call) => json(overrides.get(functionOf(call), idOf(call))),

    setOverride: async (call) => {
      const value = await readJson(call, routes.setOverride.request);
      await overrides.set(functionOf(call), { ...value, id: idOf(call) });
      return empty(202);
    },

    removeOverride: async (call) => {
      await overrides.remove(functionOf(call), idOf(call));
      return empty(202);
    },
  };
};

const idOf = ({ params }: Call): string => params['id'] ?? '';
