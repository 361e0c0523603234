import { z } from 'zod';
import { asked, posted, understood, type PeerRequest } from './peer-request.ts';
import { cancelled, deadLetter, functionQueue, type QueueHost } from './queue-host.ts';

const stats = z.array(functionQueue).max(20_000);
const letters = z.array(deadLetter).max(1_000);

/** What waits at a peer. */
export const createPeerQueue = (name: string, request: PeerRequest): QueueHost => {
  const read = async <Answer>(
    path: string,
    shape: z.ZodType<Answer>,
    kind: string,
    signal: AbortSignal,
  ): Promise<Answer> => {
    return understood(name, await asked(name, request, path, { signal }), shape, kind);
  };
  const settle = async (path: string, id: string, signal: AbortSignal): Promise<void> => {
    await posted(name, request, path, { id }, signal);
  };
  return {
    name,
    stats: (signal) => read('/internal/queue', stats, 'list of queues', signal),
    cancel: async (callId, signal) => {
      const text = await posted(name, request, '/internal/queue/cancel', { callId }, signal);
      return understood(name, text, cancelled, 'word on a cancelled call');
    },
    dead: (limit, after, signal) => {
      const query = new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after }) });
      return read(`/internal/queue/dead?${query.toString()}`, letters, 'list of dead letters', signal);
    },
    replay: (id, signal) => settle('/internal/queue/replay', id, signal),
    drop: (id, signal) => settle('/internal/queue/drop', id, signal),
  };
};
