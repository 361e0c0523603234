import type { FunctionStatus } from '../domain/function.ts';
import { readJson } from './body.ts';
import type { Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, json, missingNodes } from './responses.ts';
import { routes } from './routes.ts';

type FunctionRoute =
  | 'listFunctions'
  | 'deployFunction'
  | 'updateFunction'
  | 'removeFunction'
  | 'functionStatus'
  | 'scaleFunction'
  | 'nodeFunctions'
  | 'scaleHere';

export const functionHandlers = (
  { functions, here }: GatewayNeeds,
  { namespaceOf, refOf }: Names,
): Record<FunctionRoute, Handler> => ({
  listFunctions: async ({ query }) => {
    const answer = await functions.list(namespaceOf(null, query.get('namespace')));
    return json(
      answer.functions.map((status) => asked(status, new URLSearchParams())),
      missingNodes(answer.unreachable),
    );
  },

  deployFunction: async (call) => {
    const deployment = await readJson(call, routes.deployFunction.request);
    const namespace = namespaceOf(deployment.namespace, call.query.get('namespace'));
    await functions.deploy({ ...deployment, namespace });
    return empty(202);
  },

  updateFunction: async (call) => {
    const deployment = await readJson(call, routes.updateFunction.request);
    const namespace = namespaceOf(deployment.namespace, call.query.get('namespace'));
    await functions.update({ ...deployment, namespace });
    return empty(202);
  },

  removeFunction: async (call) => {
    const body = await readJson(call, routes.removeFunction.request);
    await functions.remove(refOf(body.functionName, body.namespace, call.query.get('namespace')));
    return empty(202);
  },

  functionStatus: async ({ params, query }) => {
    const ref = refOf(params['name'] ?? '', null, query.get('namespace'));
    const answer = await functions.status(ref);
    return json(asked(answer.functions[0], query), missingNodes(answer.unreachable));
  },

  scaleFunction: async (call) => {
    const body = await readJson(call, routes.scaleFunction.request);
    const ref = refOf(call.params['name'] ?? '', body.namespace, call.query.get('namespace'));
    const { replicas, unreachable } = await functions.scale(ref, body.replicas);
    return empty(202, { 'x-skein-replicas': String(replicas), ...missingNodes(unreachable) });
  },

  nodeFunctions: async ({ signal }) => json(await here.list(signal)),

  scaleHere: async (call) => {
    const { replicas, held, ...ref } = await readJson(call, routes.scaleHere.request);
    await here.scale(ref, { replicas, held }, call.signal);
    return empty(202);
  },
});

/** A status with those of its larger parts that the query asks for. */
const asked = (status: FunctionStatus | undefined, query: URLSearchParams): object => {
  const wants = (part: string): boolean => ['1', 'true'].includes(query.get(part) ?? '');
  const { usage, nodes, ...rest } = { ...status };
  return {
    ...rest,
    ...(usage !== undefined && wants('usage') && { usage }),
    ...(nodes !== undefined && wants('nodes') && { nodes }),
  };
};
