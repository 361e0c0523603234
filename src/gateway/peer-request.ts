import type { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';

/**
 * A peer, asked over its peer listener. `request` carries a request for a path to it, over a channel that proves both
 * identities.
 */
export type PeerRequest = (path: string, init: RequestInit) => Promise<Response>;

/** Longest answer, bytes: a peer cannot fill this node's memory. */
const maxAnswerBytes = 4 * 1024 * 1024;

/** The text that the peer answers. What it refuses is thrown. */
export const asked = async (name: string, request: PeerRequest, path: string, init: RequestInit): Promise<string> => {
  const response = await request(path, init);
  const text = await boundedText(response);
  if (!response.ok) throw refusal(name, response.status, text);
  return text;
};

/** The text that the peer answers to a JSON document. What it refuses is thrown. */
export const posted = (
  name: string,
  request: PeerRequest,
  path: string,
  value: unknown,
  signal: AbortSignal,
): Promise<string> => {
  const headers = { 'content-type': 'application/json' };
  return asked(name, request, path, { method: 'POST', headers, body: JSON.stringify(value), signal });
};

/** What `text` of a peer says, as one of `shape`; `unavailable`, and what it is not, when it is none. */
export const understood = <Answer>(name: string, text: string, shape: z.ZodType<Answer>, kind: string): Answer => {
  const parsed = shape.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new SkeinError('unavailable', `${name} answered something that is no ${kind}`);
};

/** `unavailable` when it is too long. */
export const boundedText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new SkeinError('unavailable', `an answer longer than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** undefined for what is no JSON. */
const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const codes: Readonly<Record<number, ErrorCode>> = { 400: 'invalid', 404: 'not-found', 504: 'timeout' };

/** What a peer's refusal is here: its sentence, under a code of ours. */
export const refusal = (name: string, status: number, text: string): SkeinError =>
  new SkeinError(codes[status] ?? 'unavailable', `${name} answered ${status}: ${text.trim().slice(0, 200)}`);
