import { SkeinError } from '../domain/errors.ts';
import { readJson } from './body.ts';
import type { Call, Handler } from './call.ts';
import type { QueueHost } from './queue-host.ts';
import type { Queues } from './queues.ts';
import { empty, json, missingNodes } from './responses.ts';
import { routes } from './routes.ts';

type QueueRoute =
  | 'queueStats'
  | 'deadLetters'
  | 'replayDeadLetter'
  | 'dropDeadLetter'
  | 'nodeQueue'
  | 'nodeDeadLetters'
  | 'cancelHere'
  | 'replayHere'
  | 'dropHere';

/** What waits and what was given up: at all nodes for clients, at this one for peers. */
export const queueHandlers = (queues: Queues, here: QueueHost): Record<QueueRoute, Handler> => ({
  queueStats: async () => {
    const { functions, unreachable } = await queues.stats();
    return json(functions, missingNodes(unreachable));
  },

  deadLetters: async (call) => {
    const { limit, after } = pageOf(call);
    const { letters, unreachable } = await queues.dead(limit, after);
    return json(letters, missingNodes(unreachable));
  },

  replayDeadLetter: async (call) => {
    const { id } = await readJson(call, routes.replayDeadLetter.request);
    await queues.replay(id);
    return empty(202);
  },

  dropDeadLetter: async (call) => {
    const { id } = await readJson(call, routes.dropDeadLetter.request);
    await queues.drop(id);
    return empty(202);
  },

  nodeQueue: async ({ signal }) => json(await here.stats(signal)),

  nodeDeadLetters: async (call) => {
    const { limit, after } = pageOf(call);
    return json(await here.dead(limit, after, call.signal));
  },

  cancelHere: async (call) => {
    const { callId } = await readJson(call, routes.cancelHere.request);
    return json(await here.cancel(callId, call.signal));
  },

  replayHere: async (call) => {
    const { id } = await readJson(call, routes.replayHere.request);
    await here.replay(id, call.signal);
    return empty(202);
  },

  dropHere: async (call) => {
    const { id } = await readJson(call, routes.dropHere.request);
    await here.drop(id, call.signal);
    return empty(202);
  },
});

const pageOf = ({ query }: Call): { readonly limit: number; readonly after: string | undefined } => {
  const limit = Number(query.get('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new SkeinError('invalid', 'limit must be a whole number from 1 to 1000');
  }
  return { limit, after: query.get('after') ?? undefined };
};
