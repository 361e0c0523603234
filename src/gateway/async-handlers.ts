import { SkeinError } from '../domain/errors.ts';
import { functionKey } from '../domain/ids.ts';
import { readJson } from './body.ts';
import type { Call, Handler } from './call.ts';
import type { Names } from './names.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, json, text } from './responses.ts';
import { routes } from './routes.ts';

type AsyncRoute =
  | 'callLater'
  | 'callLaterWithPath'
  | 'cancelCall'
  | 'queueStats'
  | 'deadLetters'
  | 'replayDeadLetter'
  | 'dropDeadLetter';

/** Calls that are made later. They need no password, as calls of functions do not; the queue itself does. */
export const asyncHandlers = ({ calls }: GatewayNeeds, names: Names): Record<AsyncRoute, Handler> => {
  const enqueue: Handler = async (call) => {
    const ref = names.refOf(call.params['name'] ?? '', null, null);
    const callId = await calls.enqueue({
      function: functionKey(ref.name, ref.namespace),
      path: pathOf(call),
      headers: [...call.headers].flat(),
      body: call.body(),
    });
    return new Response(null, { status: 202, headers: { 'x-call-id': callId } });
  };
  return {
    callLater: enqueue,
    callLaterWithPath: enqueue,

    cancelCall: async ({ params }) => {
      const { cancelled, running } = await calls.cancel(params['name'] ?? '');
      if (cancelled > 0) return empty(202);
      return running > 0
        ? text(409, 'the call runs already and goes on')
        : text(404, 'no call of that id waits at this node');
    },

    queueStats: async () => json(await calls.stats()),

    deadLetters: async ({ query }) => {
      const limit = Number(query.get('limit') ?? 100);
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
        throw new SkeinError('invalid', 'limit must be a whole number from 1 to 1000');
      }
      return json(await calls.dead.list(limit, query.get('after') ?? undefined));
    },

    replayDeadLetter: async (call) => {
      const { id } = await readJson(call, routes.replayDeadLetter.request);
      await calls.dead.replay(id);
      return empty(202);
    },

    dropDeadLetter: async (call) => {
      const { id } = await readJson(call, routes.dropDeadLetter.request);
      await calls.dead.drop(id);
      return empty(202);
    },
  };
};

/** What follows the name in the address as it came: a parsed one would lose what was encoded. */
const pathOf = ({ target }: Call): string => {
  const rest = target.slice('/async-function/'.length).replace(/^[^/?]*/, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
};
