import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import { readJson, readOptionalJson } from './body.ts';
import type { Call, Handler } from './call.ts';
import type { FunctionNamespace, GatewayNeeds, NamespaceBody } from './needs.ts';
import { empty, json, text } from './responses.ts';
import { routes } from './routes.ts';

type NamespaceRoute =
  | 'namespaces'
  | 'getNamespace'
  | 'createNamespace'
  | 'createNamedNamespace'
  | 'updateNamespace'
  | 'removeNamespace';

export const namespaceHandlers = ({ namespaces }: GatewayNeeds): Record<NamespaceRoute, Handler> => {
  const create: Handler = async (call) => {
    const body = await readJson(call, routes.createNamespace.request);
    try {
      await namespaces.create(asked(call, body));
      return empty(201);
    } catch (error) {
      if (codeOf(error) === 'exists') return text(409, messageOf(error));
      throw error;
    }
  };

  return {
    namespaces: async () => json(namespaces.list()),
    getNamespace: async (call) => json(namespaces.get(nameOf(call))),
    createNamespace: create,
    createNamedNamespace: create,

    updateNamespace: async (call) => {
      const body = await readJson(call, routes.updateNamespace.request);
      await namespaces.update(asked(call, body));
      return empty(202);
    },

    removeNamespace: async (call) => {
      const body = await readOptionalJson(call, routes.removeNamespace.request);
      if (body !== undefined) asked(call, body);
      await namespaces.remove(nameOf(call));
      return empty(202);
    },
  };
};

const nameOf = ({ params }: Call): string => params['name'] ?? '';

/** What the body asks for, once it agrees with the path and bears the label by which OpenFaaS knows its own. */
const asked = (call: Call, body: NamespaceBody): FunctionNamespace => {
  const inPath = nameOf(call);
  const name = inPath || body.name || '';
  if (name === '') throw new SkeinError('invalid', 'namespace not specified in URL');
  if (body.name && body.name !== name) {
    throw new SkeinError('invalid', 'namespace in request body does not match namespace in URL');
  }
  const labels = body.labels ?? {};
  if (!Object.hasOwn(labels, 'openfaas') || labels['openfaas'] !== '1') {
    throw new SkeinError('invalid', 'request does not have openfaas=1 label');
  }
  return { name, labels, annotations: body.annotations ?? {} };
};
