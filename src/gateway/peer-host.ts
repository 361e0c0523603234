import { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { longestLineBytes } from '../providers/provider.ts';
import { nodeFunction } from './needs.ts';
import type { LogLine, LogQuery, PeerHost, ScaleWish } from './needs.ts';
import { asked, boundedText, posted, refusal, understood, type PeerRequest } from './peer-request.ts';
import { createPeerQueue } from './peer-queue.ts';

/** Longest line of a log, characters: as JSON a character of its text may be six, and a piece is somewhat more than its size. */
const maxLine = 8 * longestLineBytes;

const functions = z.array(nodeFunction).max(100_000);

/** A peer as what runs functions, and where calls wait. */
export const createPeerHost = ({ id, name }: Pick<PeerHost, 'id' | 'name'>, request: PeerRequest): PeerHost => ({
  id,
  name,

  queue: createPeerQueue(name, request),

  list: async (signal) => {
    const text = await asked(name, request, '/internal/functions', { signal });
    return understood(name, text, functions, 'list of functions');
  },

  scale: async (ref: FunctionRef, wish: ScaleWish, signal: AbortSignal) => {
    await posted(name, request, '/internal/scale', { ...ref, ...wish }, signal);
  },

  logs: async function* (query, signal) {
    const response = await request(`/internal/logs?${logQuery(query)}`, { signal });
    if (!response.ok) throw refusal(name, response.status, await boundedText(response));
    for await (const line of textLines(response)) {
      yield understood(name, line, logLine, 'line of a log');
    }
  },
});

const logLine: z.ZodType<LogLine> = z.object({
  timestamp: z.string().max(64),
  instance: z.string().max(256),
  text: z.string(),
});

const logQuery = ({ name, namespace, tail, since, follow, replica }: LogQuery): string =>
  new URLSearchParams({
    name,
    namespace,
    tail: String(tail),
    since: new Date(since).toISOString(),
    follow: String(follow),
    ...(replica !== undefined && { instance: replica }),
  }).toString();

/** Ends the answer when nobody reads on. */
const textLines = async function* (response: Response): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLine) throw new SkeinError('unavailable', `a line longer than ${maxLine} characters`);
    yield* lines;
  }
};
