import { SkeinError, codeOf, messageOf } from '../domain/errors.ts';
import { readJson } from './body.ts';
import type { Call, Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds, SecretBody } from './needs.ts';
import { empty, json, text } from './responses.ts';
import { routes } from './routes.ts';

type SecretRoute = 'listSecrets' | 'createSecret' | 'updateSecret' | 'removeSecret';

/** Values come in and never go out: not in answers, not in errors, not in logs. */
export const secretHandlers = ({ secrets }: GatewayNeeds, names: Names): Record<SecretRoute, Handler> => {
  const namespaceOf = (body: { readonly namespace?: string | undefined }, { query }: Call): string =>
    names.namespaceOf(body.namespace, query.get('namespace'));

  return {
    listSecrets: async ({ query }) => {
      const namespace = names.namespaceOf(null, query.get('namespace'));
      return json(secrets.list(namespace).map((name) => ({ name, namespace })));
    },

    createSecret: async (call) => {
      const body = await readJson(call, routes.createSecret.request, 'unquoted');
      try {
        await secrets.create(namespaceOf(body, call), body.name, valueOf(body));
        return empty(201);
      } catch (error) {
        if (codeOf(error) === 'exists') return text(409, messageOf(error));
        throw error;
      }
    },

    updateSecret: async (call) => {
      const body = await readJson(call, routes.updateSecret.request, 'unquoted');
      await secrets.update(namespaceOf(body, call), body.name, valueOf(body));
      return empty(200);
    },

    removeSecret: async (call) => {
      const body = await readJson(call, routes.removeSecret.request);
      await secrets.remove(namespaceOf(body, call), body.name);
      return empty(200);
    },
  };
};

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `rawValue` comes before `value`, as in OpenFaaS. */
const valueOf = ({ value, rawValue }: SecretBody): Buffer => {
  if (rawValue) {
    if (!base64.test(rawValue)) throw new SkeinError('invalid', 'rawValue: must be base64');
    return Buffer.from(rawValue, 'base64');
  }
  if (value) return Buffer.from(value);
  throw new SkeinError('invalid', 'value: a secret needs a value that is not empty: value (text) or rawValue (base64)');
};
