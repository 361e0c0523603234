import { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import { nodeFunction } from './needs.ts';
import type { FunctionHost, LogLine, LogQuery } from './needs.ts';

/**
 * A peer, asked over its peer listener. `request` carries a request for a path to it, over a channel that proves both
 * identities.
 */
export type PeerRequest = (path: string, init: RequestInit) => Promise<Response>;

/** Longest answer, bytes: a peer cannot fill this node's memory. */
const maxAnswerBytes = 4 * 1024 * 1024;

/** Longest line of a log, characters, with all that is around its text. */
const maxLine = 1024 * 1024;

const answer = z.array(nodeFunction).max(100_000);

export const createPeerHost = (name: string, request: PeerRequest): FunctionHost => ({
  name,

  list: async (signal) => {
    const response = await request('/internal/functions', { signal });
    const text = await boundedText(response);
    if (!response.ok) throw refusal(name, response.status, text);
    const parsed = answer.safeParse(jsonOf(text));
    if (!parsed.success) throw new SkeinError('unavailable', `${name} answered something that is no list of functions`);
    return parsed.data;
  },

  scale: async (ref: FunctionRef, replicas: number, signal: AbortSignal) => {
    const response = await request('/internal/scale', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...ref, replicas }),
      signal,
    });
    const text = await boundedText(response);
    if (!response.ok) throw refusal(name, response.status, text);
  },

  logs: async function* (query, signal) {
    const response = await request(`/internal/logs?${logQuery(query)}`, { signal });
    if (!response.ok) throw refusal(name, response.status, await boundedText(response));
    for await (const line of textLines(response)) {
      const parsed = logLine.safeParse(jsonOf(line));
      if (!parsed.success) throw new SkeinError('unavailable', `${name} answered something that is no line of a log`);
      yield parsed.data;
    }
  },
});

const logLine: z.ZodType<LogLine> = z.object({ timestamp: z.string(), instance: z.string(), text: z.string() });

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

const boundedText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new SkeinError('unavailable', `an answer longer than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const codes: Readonly<Record<number, ErrorCode>> = { 400: 'invalid', 404: 'not-found', 504: 'timeout' };

const refusal = (name: string, status: number, text: string): SkeinError =>
  new SkeinError(codes[status] ?? 'unavailable', `${name} answered ${status}: ${text.trim().slice(0, 200)}`);
