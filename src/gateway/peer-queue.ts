import { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import { boundedText, jsonOf, posted, refusal, type PeerRequest } from './peer-request.ts';
import { cancelled, deadLetter, functionQueue, type QueueHost } from './queue-host.ts';

const stats = z.array(functionQueue).max(20_000);
const letters = z.array(deadLetter).max(1_000);

/** What waits at a peer. */
export const createPeerQueue = (name: string, request: PeerRequest): QueueHost => {
  const read = async <Answer>(path: string, shape: z.ZodType<Answer>, signal: AbortSignal): Promise<Answer> => {
    const response = await request(path, { signal });
    const text = await boundedText(response);
    if (!response.ok) throw refusal(name, response.status, text);
    return understood(name, text, shape);
  };
  const settle = async (path: string, id: string, signal: AbortSignal): Promise<void> => {
    await posted(name, request, path, { id }, signal);
  };
  return {
    name,
    stats: (signal) => read('/internal/queue', stats, signal),
    cancel: async (callId, signal) =>
      understood(name, await posted(name, request, '/internal/queue/cancel', { callId }, signal), cancelled),
    dead: (limit, after, signal) => {
      const query = new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after }) });
      return read(`/internal/queue/dead?${query.toString()}`, letters, signal);
    },
    replay: (id, signal) => settle('/internal/queue/replay', id, signal),
    drop: (id, signal) => settle('/internal/queue/drop', id, signal),
  };
};

const understood = <Answer>(name: string, text: string, shape: z.ZodType<Answer>): Answer => {
  const parsed = shape.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new SkeinError('unavailable', `${name} answered something that says nothing of a queue`);
};
